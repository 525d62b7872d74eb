import functools


def classify(df, column, limit):
    return df.assign(CLASS=(df[column].astype('int64') > limit))


classify_df = functools.partial(classify, column='N', limit=40)
