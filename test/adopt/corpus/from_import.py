from pandas import read_csv, to_numeric

table = read_csv('orders.csv', dtype={'id': str, 'price': str})
table['price'] = to_numeric(table['price']).astype('float64')
table.to_csv('out.csv', sep=';', decimal=',')
