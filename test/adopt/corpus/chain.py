import pandas as pd

(
    pd.read_csv('orders.csv', parse_dates=['day'])
    .rename(columns={'qty': 'quantity'})
    .assign(year=lambda d: d['day'].dt.year)
    .drop(columns='note')
    .to_csv('out.csv', index=False)
)
