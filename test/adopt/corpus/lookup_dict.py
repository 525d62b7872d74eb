import csv
import json

import pandas as pd

df = pd.read_csv('orders.csv')

with open('countries.csv', newline='') as file:
    zones = {row['country']: row['zone'] for row in csv.DictReader(file)}
rates = json.load(open('rates.json'))
rates['belt'] = 16

df['zone'] = df['country'].map(zones)
df['rate'] = df['name'].str.lower().str.split().str[-1].map(rates)
df.to_csv('out.csv', index=False)
