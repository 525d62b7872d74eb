import pandas as pd

df = pd.read_csv('orders.csv')
df = df.dropna(subset=['qty'])
df['words'] = df['name'].str.lower().str.split()
df = df.explode('words')
df = df[df['words'].str.len() > 3]
df[df['price'] > 5].to_csv('out.csv', index=False)
