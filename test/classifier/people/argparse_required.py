import argparse

parser = argparse.ArgumentParser()
parser.add_argument('model')
OPTIONS = parser.parse_args()


def classify_df(df):
    return df
