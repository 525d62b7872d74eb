import warnings

warnings.simplefilter('error')


def classify_df(df):
    df['CLASS'] = df['N'].astype('int64') / 3
    df.loc[df['NAME'].str.startswith('red'), 'CLASS'] = 0.5
