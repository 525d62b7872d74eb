def classify_df(df):
    numbers = df['N'].astype('int64')
    df['SUM'] = numbers.groupby(level=0, sort=False).transform('sum')
