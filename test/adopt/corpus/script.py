import pandas as pd

df = pd.read_csv('orders.csv')
df['total'] = df['price'] * df['qty']
df['name'] = df['name'].str.strip().str.lower()
df.to_csv('out.csv', index=False)
