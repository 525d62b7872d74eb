import pandas as pd


class Pipeline:
    def __init__(self, path):
        self.path = path
        self.df = None

    def load(self):
        self.df = pd.read_csv(self.path)

    def transform(self):
        self.df['net'] = self.df['price'] / 1.19

    def save(self, target):
        self.df.to_csv(target, index=False)


pipeline = Pipeline('orders.csv')
pipeline.load()
pipeline.transform()
pipeline.save('out.csv')
