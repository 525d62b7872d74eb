import pandas as pd
from black_box import classify_df

df = pd.read_csv('orders.csv', index_col=0, dtype=str, engine='python')
result = classify_df(df)
result = df if result is None else result     # the function may change df in place
result.to_csv('out.csv', header=False)
