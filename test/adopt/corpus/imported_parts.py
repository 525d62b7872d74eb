import pandas as pd
import scoring as s
from scoring import Prices, kind

df = pd.read_csv('orders.csv')
df = s.classify(df)
df['kind'] = df.apply(kind, axis=1)
df['label'] = Prices().label(df)
df.to_csv('out.csv', index=False)
