import pandas as pd
from black_box import classify_df

df = pd.read_csv('orders.csv', index_col=0)
df = classify_df(df)
df.to_csv('out.csv')
