import pandas as pd

limit = 10


def dear(price):
    return price > limit


def main():
    global limit
    limit = 50
    df = pd.read_csv('orders.csv')
    df['dear'] = df['price'].map(dear)
    df.to_csv('out.csv', index=False)


if __name__ == '__main__':
    main()
