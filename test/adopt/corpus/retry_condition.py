import pandas as pd

while True:
    try:
        df = pd.read_csv('orders.csv')
        if 'price' in df.columns:
            break
    except OSError:
        print('again')
df['double'] = df['price'] * 2
df.to_csv('out.csv', index=False)
