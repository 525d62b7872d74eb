import sys
import pandas as pd
try:
    import numpy as np
except ImportError:
    np = None
if sys.platform == 'win32':
    SEP = '\\'
else:
    SEP = '/'
TABLE = {}
for i, w in enumerate(['shoe', 'boot']):
    TABLE[w] = i
def mark(f):
    def inner(*a):
        return f(*a) + SEP
    return inner
@mark
def label(name, table=TABLE):
    return str([table[w] for w in table if w in name.lower()])
df = pd.read_csv('orders.csv')
df['l'] = df['name'].map(label)
df['m'] = np.where(df['price'] > 5, 'x', 'y')
df.to_csv('out.csv', index=False)
