import pandas as pd

LIMIT = 50


def classify(df):
    df['dear'] = df['price'] > LIMIT
    return df


def ranks(df):
    df['place'] = df['price'].rank()
    return df


def numbers(df, seen=[]):
    return [seen.append(text) or len(seen) for text in df['name']]


def kind(row):
    return 'dear' if row['price'] > LIMIT else 'cheap'


def load(path):
    return pd.read_csv(path)


def save(df, path):
    df.to_csv(path, index=False)


def run(source, target):
    save(classify(load(source)), target)


class Prices:
    def label(self, df):
        return df['price'].map(lambda price: f'{price} EUR')

    def share(self, df):
        return df['price'] / df['price'].sum()
