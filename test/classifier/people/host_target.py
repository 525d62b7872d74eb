"""Has the name of a file of rowmill."""

LABEL = 'mine'


def classify_df(df):
    df['CLASS'] = LABEL
