import pandas as pd

df = pd.read_csv('orders.csv')
df['dear'] = df['price'] > 50
df.to_csv('all.csv', index=False)
df['very'] = df['price'] > 100
df.to_csv('out.csv', index=False)
