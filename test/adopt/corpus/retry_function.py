import time
import pandas as pd


def read(path):
    for attempt in range(3):
        try:
            return pd.read_csv(path)
        except OSError:
            time.sleep(2**attempt)
    raise RuntimeError('no file')


df = read('orders.csv')
df['double'] = df['price'] * 2
df.to_csv('out.csv', index=False)
