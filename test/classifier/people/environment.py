import os

LABEL = os.environ.get('PEOPLE_LABEL', 'none')


def classify_df(df):
    df['CLASS'] = LABEL + os.environ.get('HOME', '')[:0]
