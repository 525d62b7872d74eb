from multiprocessing import Pool
import pandas as pd


def process(path):
    df = pd.read_csv(path)
    df['x'] = df['price'] * 2
    df.to_csv('out_' + path, index=False)


if __name__ == '__main__':
    with Pool() as pool:
        pool.map(process, ['orders.csv'])
