import pandas as pd


class Job:
    suffix = '!'

    def __init__(self, source, target, limit=50):
        self.source = source
        self.target = target
        self.limit = limit

    def label(self, price):
        return 'dear' + self.suffix if price > self.limit else 'cheap'

    def run(self):
        df = pd.read_csv(self.source)
        df['label'] = df['price'].map(self.label)
        df.to_csv(self.target, index=False)


if __name__ == '__main__':
    job = Job('orders.csv', 'out.csv', limit=20)
    job.run()
