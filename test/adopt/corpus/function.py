import pandas as pd


def classify(df):
    df = df.copy()
    df['dear'] = df['price'] > 50
    return df


if __name__ == '__main__':
    df = pd.read_csv('orders.csv', index_col=0)
    df = classify(df)
    df.to_csv('out.csv')
