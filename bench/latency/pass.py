"""Returns its rows: what is left is rowmill and pandas."""


def classify_df(df):
    pass
