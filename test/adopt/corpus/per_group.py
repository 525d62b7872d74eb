import pandas as pd

df = pd.read_csv('orders.csv')
for country, part in df.groupby('country'):
    part.to_csv(f'{country}.csv', index=False)
