#!/usr/bin/env python3
"""Marks dear orders."""
import argparse
import sys

import pandas as pd


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument('input')
    parser.add_argument('-o', '--output', default='out.csv')
    return parser.parse_args()


def classify(df: pd.DataFrame) -> pd.DataFrame:
    df['dear'] = df['price'] > 50
    return df


def main() -> int:
    args = parse()
    df: pd.DataFrame = pd.read_csv(args.input)
    df = classify(df)
    df.to_csv(args.output, index=False)
    print(f'{len(df)} rows', file=sys.stderr)
    return 0


if __name__ == '__main__':
    sys.exit(main())
