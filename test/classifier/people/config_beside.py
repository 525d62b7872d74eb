import json
from pathlib import Path

CONFIG = json.loads((Path(__file__).parent / 'model.json').read_text())


def classify_df(df):
    df['CLASS'] = df['NAME'].str[0].map(CONFIG)
