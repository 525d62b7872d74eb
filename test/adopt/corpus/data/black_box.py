def classify_df(df):
    df['box'] = df['name'].str[0]
    return df
