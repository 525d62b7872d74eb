import pandas as pd
from scoring import *

df = pd.read_csv('orders.csv')
df = classify(df)
df.to_csv('out.csv', index=False)
