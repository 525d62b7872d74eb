import numpy
import pandas as p

df = p.read_csv('orders.csv', dtype={'id': numpy.int64, 'qty': p.Int64Dtype(), 'country': p.CategoricalDtype(['DE', 'FR'])})
df['x'] = numpy.where(df['price'] > 10, 'a', 'b')
df.to_csv('out.csv', index=False)
