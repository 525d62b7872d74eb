import re

WORD = re.compile(r'(?P<COLOUR>\w+) (?P<THING>\w+)')


def classify_df(df):
    df[['COLOUR', 'THING']] = df['NAME'].str.extract(WORD)
    df['VOWELS'] = df['NAME'].map(lambda name: len(re.findall('[aeiou]', name)))
