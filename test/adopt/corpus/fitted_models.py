import pandas as pd
class Model:
    def fit(self, table):
        self.table = table
        return self
    def predict(self, df):
        return df['country'].map(self.table)
model = Model().fit({'DE': 1})
model2 = Model()
model2.fit({'DE': 2, 'FR': 3})
df = pd.read_csv('orders.csv')
df['p'] = model.predict(df)
df['q'] = model2.predict(df)
df.to_csv('out.csv', index=False)
