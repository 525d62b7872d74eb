import os
import pandas as pd

FOLDER = '.'
NAME = 'orders'
VERSION = 3

df = pd.read_csv(f'{FOLDER}/{NAME}.csv')
df['v'] = f'v{VERSION}'
df.to_csv(os.path.join(FOLDER, f'{NAME}_v{VERSION}' + '.csv'), index=False)
