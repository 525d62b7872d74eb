import pandas as pd

SIZES = ['S', 'M', 'L']


def classify_df(df):
    df['SIZE'] = pd.Categorical([SIZES[int(n) % 3] for n in df['N']], categories=SIZES, ordered=True)
    df['SMALL'] = df['SIZE'] < 'M'
