import pandas as pd


def main():
    limit = 20
    df = pd.read_csv('orders.csv')

    def kind(price):
        return 'dear' if price > limit else 'cheap'

    limit = 60
    df['kind'] = df['price'].apply(kind)
    df.to_csv('out.csv', index=False)


main()
