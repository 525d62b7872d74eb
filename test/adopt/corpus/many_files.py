import glob
import pandas as pd

for path in glob.glob('orders*.csv'):
    df = pd.read_csv(path)
    df['x'] = 1
    df.to_csv(path.replace('.csv', '_out.csv'), index=False)
