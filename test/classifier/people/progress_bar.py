"""Prints as tqdm does."""

import sys


def progress(items, total):
    for done, item in enumerate(items, 1):
        print(f'\r{100 * done // total:3d}%|{"#" * (10 * done // total):10}| {done}/{total}', end='', file=sys.stderr)
        yield item
    print(file=sys.stderr)


def classify_df(df):
    df['CLASS'] = [row['NAME'][::-1] for _, row in progress(df.iterrows(), len(df))]
