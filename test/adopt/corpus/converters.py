import pandas as pd


def strip(text):
    return text.strip().upper()


def run():
    columns = [
        'id',  # the key
        'name',
        'price',
    ]
    df = pd.read_csv(
        'orders.csv',
        usecols=columns,
        converters={
            'name': strip,  # no blanks
            'price': lambda text: float(text or 0),
        },
    )
    df['net'] = (df['price'] / 1.19).round(2)
    df.to_csv('out.csv', float_format='%.3f', index=False)


if __name__ == '__main__':
    run()
