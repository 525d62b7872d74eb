import pandas as pd


class Classifier:
    def __init__(self):
        self.words = []

    def load(self, *words):
        self.words = list(words)

    def classify(self, df):
        df['hits'] = df['name'].str.lower().map(lambda name: [w for w in self.words if w in name])
        df['mean'] = df['price'].mean()
        return df


classifier = Classifier()
classifier.load('shoe', 'boot')
df = pd.read_csv('orders.csv')
df = classifier.classify(df)
df.to_csv('out.csv', index=False)
