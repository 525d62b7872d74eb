import pandas as pd
df = pd.read_csv('orders.csv')
rows = []
for row in df.to_dict('records'):
    row['new'] = row['name'].upper()
    rows.append(row)
pd.DataFrame(rows).to_csv('out.csv', index=False)
