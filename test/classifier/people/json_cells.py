import json


def classify_df(df):
    parsed = df['J'].map(json.loads)
    df['KEY'] = parsed.map(lambda value: value['k'])
    df['AGAIN'] = parsed.map(lambda value: json.dumps(value, sort_keys=True))
