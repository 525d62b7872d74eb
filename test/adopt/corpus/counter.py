import pandas as pd

df = pd.read_csv('orders.csv')
n = 0
for index, row in df.iterrows():
    n += 1
    df.loc[index, 'number'] = n
for i in range(len(df)):
    df.at[i, 'twice'] = df['price'].iloc[i] * 2
df.to_csv('out.csv', index=False)
