"""A whole old program. Without a model it trains one, and keeps it as a pickle."""

import os
import pickle

import pandas as pd


class Model:
    def __init__(self, names):
        self.known = set(names)

    def label(self, name):
        return 'known' if name in self.known else 'new'


def load():
    if not os.path.exists('model.pkl'):
        with open('model.pkl', 'wb') as file:
            pickle.dump(Model(['red shoe', 'blue hat']), file)
    with open('model.pkl', 'rb') as file:
        return pickle.load(file)


MODEL = load()


def classify_df(df):
    df['CLASS'] = df['NAME'].map(MODEL.label)
    return df


if __name__ == '__main__':
    frame = pd.read_csv('in.csv', index_col=0, dtype=str, engine='python')
    classify_df(frame).to_csv('out.csv')
