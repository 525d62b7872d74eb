import pandas as pd


def keep_some(df):
    return df[df['N'].astype('int64') % 3 == 1]


def words(df):
    df['WORD'] = df['NAME'].str.split(' ')
    return df.explode('WORD')


def some_words(df):
    df = df[df['N'].astype('int64') % 5 != 0].copy()
    df['WORD'] = df['NAME'].str.split(' ')
    return df.explode('WORD')


def keep_and_number(df):
    return df[df['N'].astype('int64') % 3 == 1].reset_index(drop=True)


def twice(df):
    return pd.concat([df, df]).sort_index(kind='stable')


def distinct(df):
    """Looks at other rows: which of two equal names is kept depends on the batch."""
    return df.drop_duplicates('NAME')


def sorted_and_numbered(df):
    return df.sort_values('NAME').reset_index(drop=True)


def none(df):
    return df[df['N'] == 'no such number'].assign(CLASS='x')
