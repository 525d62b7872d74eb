import json
import pandas as pd


class Rates:
    """Looks rates up."""

    def __init__(self, path):
        with open(path) as file:
            self.rates = json.load(file)

    def predict(self, names):
        return [next((rate for word, rate in self.rates.items() if word in str(name).lower()), 0) for name in names]


df = pd.read_csv('orders.csv')
model = Rates('rates.json')
df['rate'] = model.predict(df['name'])
df.to_csv('out.csv', index=False)
