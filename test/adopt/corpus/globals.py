import pandas as pd

total = 0
df = pd.read_csv('orders.csv')


def share(price):
    return price / top


def count(name):
    global total
    total += 1
    return f'{name} {total}'


top = df['price'].max()
df['share'] = df['price'].map(share)
df['count'] = df['name'].map(count)
df.to_csv('out.csv', index=False)
print('names:', total)
