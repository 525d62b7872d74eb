import pandas as pd

df = pd.read_excel('orders.xlsx')
df['x'] = 1
df.to_csv('out.csv', index=False)
