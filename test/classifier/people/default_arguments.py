def classify_df(df, limit=20, *, label='big'):
    df['CLASS'] = [label if int(n) > limit else '' for n in df['N']]
    return df
