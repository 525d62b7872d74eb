import sys
import pandas as pd

try:
    df = pd.read_csv('orders.csv')
except FileNotFoundError:
    print('no file')
    sys.exit(1)
else:
    df['a'] = df['qty'].fillna(0).astype(int)

try:
    df['b'] = df['a'] + 1
    df.to_csv('out.csv', index=False)
except OSError as error:
    print(error)
    raise
