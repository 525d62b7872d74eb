import pandas as pd


def kind(row):
    return row['name'][:1]


df = pd.read_csv('orders.csv', index_col='id')
df.apply(kind, axis=1).to_csv('out.csv')
