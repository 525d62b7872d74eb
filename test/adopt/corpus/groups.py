import pandas as pd

df = pd.read_csv('orders.csv')
df['share'] = df['price'] / df.groupby('country')['price'].transform('sum')
df['rank'] = df['price'].rank()
df['code'] = df['country'].astype('category').cat.codes
df['before'] = df['price'].shift(1)
df['number'] = range(1, len(df) + 1)
df['date'] = pd.to_datetime(df['day'])
df['bin'] = pd.qcut(df['price'], 3, labels=False)
df['running'] = df['qty'].cumsum()
df['mean'] = df['price'].mean()
df['row_sum'] = df[['price', 'qty']].sum(axis=1)
df = df.sort_values('price')
df.to_csv('out.csv', index=False)
