"""The job as it was before rowmill: one process reads a CSV file, classifies every row and writes a CSV file.

    python serial_job.py IN OUT [--classifier FILE[:NAME]] [--header] [--read-csv JSON] [--to-csv JSON]
"""

import argparse
import importlib
import json
import os
import sys

import pandas as pd


def load(target):
    """The function that FILE[:NAME] names or package.module:NAME; NAME is classify_df unless given."""
    place, _, name = target.partition(':')
    if place.endswith('.py'):
        folder, file = os.path.split(os.path.abspath(place))
        sys.path.insert(0, folder)
        place = file[: -len('.py')]
    else:
        sys.path.insert(0, os.getcwd())
    return getattr(importlib.import_module(place), name or 'classify_df')


def main():
    black_box = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'black_box.py')
    parser = argparse.ArgumentParser(description='Classify the rows of a CSV file in one process.')
    parser.add_argument('input', metavar='IN')
    parser.add_argument('output', metavar='OUT')
    parser.add_argument('--classifier', metavar='FILE[:NAME]', default=black_box)
    parser.add_argument('--header', action='store_true', help='write the names of the columns too')
    parser.add_argument('--read-csv', metavar='JSON', type=json.loads, default={}, help='more arguments of read_csv')
    parser.add_argument('--to-csv', metavar='JSON', type=json.loads, default={}, help='more arguments of to_csv')
    options = parser.parse_args()

    classify_df = load(options.classifier)
    read_csv = {'index_col': 0, 'dtype': str, 'engine': 'python', **options.read_csv}
    to_csv = {'header': options.header, **options.to_csv}

    df = pd.read_csv(options.input, **read_csv)
    result = classify_df(df)
    if result is None:
        result = df
    result.to_csv(options.output, **to_csv)


if __name__ == '__main__':
    main()
