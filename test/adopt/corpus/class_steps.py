import pandas as pd


class Report:
    """Reads, works, writes."""

    def __init__(self, source, target='out.csv'):
        self.source = source
        self.target = target

    def load(self):
        """Reads the orders."""
        self.orders = pd.read_csv(self.source, index_col='id')
        print('loaded')
        return self

    def clean(self):
        self.orders['name'] = self.orders['name'].str.strip()

    def share(self):
        self.orders = self.orders.assign(share=self.orders['price'] / self.orders['price'].sum())

    def save(self):
        self.orders.to_csv(self.target)

    def run(self):
        self.load()
        self.clean()
        self.share()
        self.save()


def main():
    report = Report('orders.csv')
    report.run()


if __name__ == '__main__':
    main()
