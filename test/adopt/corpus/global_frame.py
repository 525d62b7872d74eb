import pandas as pd


def add_length():
    df['length'] = df['name'].str.len()


df = pd.read_csv('orders.csv')
add_length()
df.to_csv('out.csv', index=False)
