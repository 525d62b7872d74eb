import time
import pandas as pd

tries = 0
while True:
    try:
        df = pd.read_csv('orders.csv')
        break
    except OSError:
        tries += 1
        if tries > 3:
            raise
        time.sleep(1)
df['double'] = df['price'] * 2
df.to_csv('out.csv', index=False)
