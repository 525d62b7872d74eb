import pandas as pd


def process(source, target):
    df = pd.read_csv(source)
    df['x'] = df['price'] * 2
    df.to_csv(target, index=False)


process('orders.csv', 'out.csv')
process('orders.csv', 'again.csv')
