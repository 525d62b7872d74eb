from datetime import datetime

import pandas as pd


def classify_df(df):
    df['DAY'] = pd.to_datetime(df['D'], format='%d.%m.%Y %H:%M').dt.strftime('%Y-%m-%d')
    df['YEAR'] = df['D'].map(lambda text: datetime.strptime(text, '%d.%m.%Y %H:%M').year)
