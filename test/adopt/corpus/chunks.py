import pandas as pd

first = True
for chunk in pd.read_csv('orders.csv', chunksize=3):
    chunk['x'] = chunk['name'].str.len()
    chunk.to_csv('out.csv', mode='w' if first else 'a', header=first, index=False)
    first = False
