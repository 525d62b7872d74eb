import pandas as pd
import numpy as np
df1 = pd.read_csv('orders.csv')
df2 = pd.read_csv('countries.csv')
result = pd.merge(df1, df2, on='country')
result.to_csv('out.csv', index=False)
