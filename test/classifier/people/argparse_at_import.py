import argparse

import pandas as pd

parser = argparse.ArgumentParser()
parser.add_argument('--limit', type=int, default=30)
OPTIONS = parser.parse_args()


def classify_df(df):
    df['CLASS'] = df['N'].astype('int64') > OPTIONS.limit
    return df


if __name__ == '__main__':
    frame = pd.read_csv('in.csv', index_col=0, dtype=str, engine='python')
    classify_df(frame).to_csv('out.csv')
