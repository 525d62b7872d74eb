import pandas as pd


def features(row):
    return pd.Series({'LENGTH': len(row['NAME']), 'UPPER': row['NAME'].upper()})


def classify_df(df):
    return df.join(df.apply(features, axis=1))
