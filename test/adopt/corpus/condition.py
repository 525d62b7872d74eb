import os
import pandas as pd

if os.path.exists('orders.csv'):
    df = pd.read_csv('orders.csv')
else:
    df = pd.read_csv('orders_de.csv', sep=';')
df['x'] = 1
if not os.environ.get('DRY_RUN'):
    df.to_csv('out.csv', index=False)
