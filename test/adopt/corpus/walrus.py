import sys
import pandas as pd

if (df := pd.read_csv('orders.csv')).empty:
    sys.exit('nothing to do')
df['c'] = [n if (n := len(str(name))) > 5 else 0 for name in df['name']]
df.to_csv('out.csv', index=False)
