import pandas as pd


def add_kind(frame):
    frame['kind'] = frame['name'].str.contains('shoe', case=False)


def main():
    frame = pd.read_csv('orders.csv', usecols=['id', 'name'])
    add_kind(frame)
    frame.to_csv('out.csv', index=False)


main() if __name__ == '__main__' else None
