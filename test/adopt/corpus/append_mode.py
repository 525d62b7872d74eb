import pandas as pd

df = pd.read_csv('orders.csv')
df['x'] = 1
with open('out.csv', 'a') as log:
    df.to_csv(log, header=False, index=False)
