import pandas as pd


def classify_df(df):
    parsed = pd.to_datetime(df['D'], format='%d.%m.%Y %H:%M', utc=True)
    df['LOCAL'] = parsed.dt.tz_convert('Europe/Berlin')
