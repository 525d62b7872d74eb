"""Functions whose result for a row depends on other rows, as people write them. cuts.ts tries each cut on them."""

import pandas as pd


def groupby_transform(df):
    df['X'] = df.groupby('NAME')['N'].transform('count')


def group_mean(df):
    df['X'] = df['N'].astype(float) - df.groupby('NAME')['N'].transform(lambda n: n.astype(float).mean())


def cat_codes(df):
    df['X'] = df['NAME'].astype('category').cat.codes


def factorize(df):
    df['X'] = pd.factorize(df['NAME'])[0]


def qcut(df):
    df['X'] = pd.qcut(df['N'].astype(int), 3, labels=['low', 'middle', 'high'])


def cut_in_three(df):
    df['X'] = pd.cut(df['N'].astype(int), 3, labels=False)


def rank(df):
    df['X'] = df['N'].astype(int).rank(method='dense')


def zscore(df):
    n = df['N'].astype(float)
    df['X'] = (n - n.mean()) / n.std()


def above_the_mean(df):
    n = df['N'].astype(float)
    df['X'] = (n > n.mean()).map({True: 'high', False: 'low'})


def maximum(df):
    n = df['N'].astype(int)
    df['X'] = n / n.max()


def range_len(df):
    df['X'] = range(1, len(df) + 1)


def cumsum(df):
    df['X'] = df['N'].astype(int).cumsum()


def shift(df):
    df['X'] = df['NAME'].shift()


def ffill(df):
    df['X'] = df['RARE'].ffill()


def fill_with_mode(df):
    df['X'] = df['RARE'].fillna(df['RARE'].mode().iloc[0] if df['RARE'].notna().any() else 'none')


def duplicated(df):
    df['X'] = df['NAME'].duplicated()


def drop_duplicates(df):
    return df.drop_duplicates('NAME')


def sort_values(df):
    return df.sort_values('NAME')


def value_counts(df):
    df['X'] = df['NAME'].map(df['NAME'].value_counts())


def to_datetime_coerce(df):
    df['X'] = pd.to_datetime(df['DAY'], errors='coerce').dt.strftime('%Y-%m-%d')


def to_datetime_days(df):
    df['X'] = pd.to_datetime(df['MONTH'], errors='coerce').dt.strftime('%Y-%m-%d')


def to_numeric_huge(df):
    df['X'] = pd.to_numeric(df['HUGE'])


def is_last(df):
    df['X'] = ['last' if at == len(df) - 1 else '' for at in range(len(df))]


def first_of_the_batch(df):
    df['X'] = df['NAME'].iloc[0]


def seeded_sample(df):
    import random

    chance = random.Random(7)
    df['X'] = [chance.randint(0, 9) for _ in range(len(df))]
