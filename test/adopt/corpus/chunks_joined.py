import pandas as pd

parts = []
for part in pd.read_csv('orders.csv', chunksize=1000):
    part['x'] = part['name'].str.len()
    parts.append(part)
result = pd.concat(parts)
result.to_csv('out.csv', index=False)
