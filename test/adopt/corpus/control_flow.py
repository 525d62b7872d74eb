import pandas as pd


def kind(code):
    if code is None:
        return 'none'
    return 'german' if code == 'DE' else 'other'


def main():
    df = pd.read_csv('orders.csv')
    column = 'country'
    if column in df:
        values = df[column]
    else:
        values = df['name']
    df['kind'] = [kind(value) for value in values]
    while len(df.columns) > 8:
        df = df.drop(columns=df.columns[0])
    df.to_csv('out.csv', index=False)


main()
