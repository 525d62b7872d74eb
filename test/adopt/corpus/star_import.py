from pandas import *
df = read_csv('orders.csv')
df['x'] = 1
df.to_csv('out.csv')
