def classify_df(df):
    return df.apply(lambda row: row['NAME'][0], axis=1)


def one_column(df):
    return df['N'].astype('int64') * 2
