import pandas as pd

df = pd.read_csv('orders.csv')
try:
    df['whole'] = df['qty'].astype(int)
except ValueError:
    df['whole'] = -1
if df['price'].isna().any():
    df['price'] = df['price'].fillna(0)
df = df[['name', 'price', 'whole']].reset_index(drop=True)
df.to_csv('out.csv')
