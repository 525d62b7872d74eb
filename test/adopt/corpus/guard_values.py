import pandas as pd

limit = 10


def classify(df):
    df['dear'] = df['price'] > limit
    return df


if __name__ == '__main__':
    limit = 50
    df = pd.read_csv('orders.csv')
    df = classify(df)
    df.to_csv('out.csv', index=False)
