import pandas as pd

pd.read_csv('orders.csv').sort_values('price').to_csv('out.csv', index=False)
