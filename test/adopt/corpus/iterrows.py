import pandas as pd

df = pd.read_csv('orders.csv')
result = []
for index, row in df.iterrows():
    if 'shoe' in row['name'].lower():
        result.append('shoe')
    else:
        result.append('other')
df['kind'] = result
df.to_csv('out.csv', index=False)
