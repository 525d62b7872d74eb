import os
import pandas as pd


def notify(text):
    print(text)


def check_disk():
    pass


check_disk()
os.chdir('.')
df = pd.read_csv('orders.csv')
notify('read')
df['x'] = 1
df.to_csv('out.csv', index=False)
