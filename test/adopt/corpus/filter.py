import pandas as pd

df = pd.read_csv('orders.csv')
df = df[df['price'] > 10]
df = df.dropna(subset=['qty']).drop_duplicates('country')
df.to_csv('out.csv', index=False)
