import pandas as pd
from scoring import ranks

df = pd.read_csv('orders.csv')
df = ranks(df)
df.to_csv('out.csv', index=False)
