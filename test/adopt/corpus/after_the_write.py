import shutil
import pandas as pd

df = pd.read_csv('orders.csv')
df['x'] = df['price'] * 2
df.to_csv('out.csv', index=False)

print(df['x'].describe())
summary = df.groupby('country')['x'].sum()
df.head(3).to_html('head.html')
shutil.copy('out.csv', 'copy.csv')
