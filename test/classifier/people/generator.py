def classify_df(df):
    for start in range(0, len(df), 10):
        yield df.iloc[start : start + 10]
