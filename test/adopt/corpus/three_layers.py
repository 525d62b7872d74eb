import pandas as pd


def read(path):
    return pd.read_csv(path)


def work(df):
    df = df.assign(n=df['name'].str.len())
    write(df, 'out.csv')


def write(df, path):
    df.to_csv(path, index=False)


def main(path='orders.csv'):
    work(read(path))


if __name__ == '__main__':
    main()
