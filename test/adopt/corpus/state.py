import pandas as pd

columns = ['id', 'name']
extra = {}

df = pd.read_csv('orders.csv')
columns = columns + ['price']
extra['vat'] = 19
df = df[columns]
for name, value in extra.items():
    df[name] = value
df.to_csv('out.csv', index=False)
