import pandas as pd
df = pd.read_csv('orders.csv')
def f(x, y=2):
    return x * y
df['a'] = df['price'].apply(f, y=3)
df['b'] = df.apply(lambda r: f(r.price, r.qty), axis=1)
df['c'] = pd.to_datetime(df['day'], format='%Y-%m-%d').dt.strftime('%d.%m.%Y')
df['d'] = pd.cut(df['price'], [0, 10, 100], labels=['a', 'b'])
df['e'] = df['name'].str.count('o')
df['f'] = df[['price', 'qty']].max(axis=1)
df['g'] = df['name'].str.len().clip(upper=5)
df.reset_index(drop=True, inplace=True)
df.to_csv('out.csv', index=False)
