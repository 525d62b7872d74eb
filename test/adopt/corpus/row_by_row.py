import pandas as pd
df = pd.read_csv('orders.csv', index_col='id')
df['total'] = 0.0
for idx in df.index:
    df.loc[idx, 'total'] = df.loc[idx, 'price'] * 2
df.to_csv('out.csv')
