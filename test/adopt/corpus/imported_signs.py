import pandas as pd
import scoring

prices = scoring.Prices()
df = pd.read_csv('orders.csv')
df['share'] = prices.share(df)
df['number'] = scoring.numbers(df)
df.pipe(scoring.ranks).to_csv('out.csv', index=False)
