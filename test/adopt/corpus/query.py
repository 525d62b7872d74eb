import pandas as pd

limit = 20
names = {'DE': 'Germany', 'FR': 'France'}
df = pd.read_csv('orders.csv')
df['dear'] = df.eval('price > @limit')
df['where'] = df['country'].replace(names)
df.to_csv('out.csv', index=False)
