import pandas as pd


def reset(df):
    df = df.reset_index(drop=True)
    df['CLASS'] = df['NAME'].str[0]
    return df


def from_records(df):
    return pd.DataFrame([{'CLASS': row['NAME'][0], 'LENGTH': len(row['NAME'])} for row in df.to_dict('records')])


def padded(df):
    df.index = df.index.astype(str).str.zfill(6)
    return df


def by_name(df):
    return df.set_index('NAME')


def counted(df):
    df.index = range(1, len(df) + 1)
    return df


def sorted_and_numbered(df):
    return df.sort_values('NAME').reset_index(drop=True)
