import pandas as pd


def load():
    df = pd.read_csv('orders.csv')
    limit = 50
    return df, limit


def main():
    df, limit = load()
    df['dear'] = df['price'] > limit
    return df


if __name__ == '__main__':
    main().to_csv('out.csv', index=False)
