import pandas as pd
def helper(v):
    return later(v) + OFFSET
df = pd.read_csv('orders.csv')
def later(v):
    return v * 2
OFFSET = 3
df['a'] = df['price'].map(helper)
OFFSET = 4
df['b'] = df['price'].map(helper)
df.to_csv('out.csv', index=False)
