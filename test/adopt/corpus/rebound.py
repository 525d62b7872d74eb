import pandas as pd

factor = 1
df = pd.read_csv('orders.csv')
df['a'] = df['price'] * factor
factor = 2
df['b'] = df['price'] * factor
words = ['shoe']
df['c'] = df['name'].map(lambda name: any(w in name for w in words))
words = ['boot']
df['d'] = df['name'].map(lambda name: any(w in name for w in words))
df.to_csv('out.csv', index=False)
