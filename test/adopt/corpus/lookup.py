import pandas as pd

countries = pd.read_csv('countries.csv')
orders = pd.read_csv('orders.csv')
orders = orders.merge(countries, on='country', how='left')
orders.to_csv('out.csv', index=False)
