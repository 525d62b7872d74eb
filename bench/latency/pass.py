"""Returns its rows unchanged, so only rowmill and pandas are measured."""


def classify_df(df):
    pass
