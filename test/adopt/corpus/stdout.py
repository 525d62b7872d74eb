import sys
import pandas as pd

df = pd.read_csv('orders.csv')
df['x'] = 1
df.to_csv(sys.stdout, index=False)
