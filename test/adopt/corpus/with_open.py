import pandas as pd

with open('orders.csv', encoding='utf-8', newline='') as source:
    df = pd.read_csv(source)

df['shout'] = df['name'].str.upper()

with open('out.csv', 'w', encoding='utf-8', newline='') as target:
    df.to_csv(target, index=False, lineterminator='\r\n')
