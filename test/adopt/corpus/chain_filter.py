import pandas as pd

LIMIT = 30
(
    pd.read_csv('orders.csv')
    .dropna(subset=['price'])
    .loc[lambda d: d['price'] > LIMIT]
    .assign(double=lambda d: d['price'] * 2)
    .to_csv('out.csv', index=False)
)
