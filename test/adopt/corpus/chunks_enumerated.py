import pandas as pd
path = 'orders.csv'
reader = pd.read_csv(path, chunksize=2)
for i, chunk in enumerate(reader):
    chunk['x'] = 1
    chunk.to_csv('out.csv', mode='a', header=(i == 0), index=False)
