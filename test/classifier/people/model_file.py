import json

with open('model.json') as file:
    WEIGHTS = json.load(file)


def classify_df(df):
    df['SCORE'] = df['NAME'].str[0].map(WEIGHTS)
