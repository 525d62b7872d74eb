"""The original job on all cores with the standard library: multiprocessing.Pool over chunks of 100 rows.

    python pool_job.py IN OUT --classifier FILE [--processes N] [--chunk-rows N]
"""

import argparse
import multiprocessing
import os
import sys

import pandas as pd

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'examples'))
import serial_job  # noqa: E402

CLASSIFY = None


def load(target):
    global CLASSIFY
    CLASSIFY = serial_job.load(target)


def classify(chunk):
    result = CLASSIFY(chunk)
    return chunk if result is None else result


def main():
    parser = argparse.ArgumentParser(description='Classify the rows of a CSV file in a pool of processes.')
    parser.add_argument('input', metavar='IN')
    parser.add_argument('output', metavar='OUT')
    parser.add_argument('--classifier', metavar='FILE[:NAME]', required=True)
    parser.add_argument('--processes', type=int, default=2)
    parser.add_argument('--chunk-rows', type=int, default=100)
    options = parser.parse_args()

    df = pd.read_csv(options.input, index_col=0, dtype=str, engine='python')
    chunks = (df.iloc[at : at + options.chunk_rows].copy() for at in range(0, len(df), options.chunk_rows))
    with multiprocessing.Pool(options.processes, load, (options.classifier,)) as pool:
        pd.concat(pool.imap(classify, chunks)).to_csv(options.output, header=False)


if __name__ == '__main__':
    main()
