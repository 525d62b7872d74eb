import pandas as pd


def mark(df):
    """Changes the frame in place."""
    df['dear'] = df['price'].gt(50)


def main():
    orders = pd.read_csv('orders.csv', dtype=str)
    orders['price'] = orders['price'].astype(float)
    mark(orders)
    orders.to_csv('out.csv', header=False)


if __name__ == '__main__':
    main()
