import pandas as pd


def load(path):
    df = pd.read_csv(path, dtype={'id': 'string'})
    df.columns = [c.upper() for c in df.columns]
    return df


def transform(df, limit=10):
    df['DEAR'] = df['PRICE'] > limit
    return df


def save(df, path, decimals=1):
    df['PRICE'] = df['PRICE'].round(decimals)
    df.to_csv(path, index=False)


def main():
    data = load('orders.csv')
    data = transform(data, limit=20)
    save(data, 'out.csv')


if __name__ == '__main__':
    main()
