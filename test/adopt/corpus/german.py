# -*- coding: utf-8 -*-
import pandas as pd

SEP = ';'
ENC = 'latin-1'
OPTIONS = {'decimal': ',', 'thousands': '.', 'dtype': {'id': str}}


def main():
    df = pd.read_csv('orders_de.csv', sep=SEP, encoding=ENC, **OPTIONS)
    df['größe'] = df['name'].str.len()
    df.to_csv('out.csv', sep=SEP, encoding='utf-8-sig', index=False)


if __name__ == "__main__":
    main()
