import os
import warnings

import pandas as pd

os.environ['TOKENIZERS_PARALLELISM'] = 'false'
warnings.simplefilter('ignore')
pd.options.display.width = 200
pd.set_option('mode.string_storage', 'python')


@pd.api.extensions.register_dataframe_accessor('orders')
class Orders:
    def __init__(self, frame):
        self.frame = frame

    def total(self):
        return self.frame['price'] * self.frame['qty']


with pd.option_context('display.max_rows', 5):
    df = pd.read_csv('orders.csv')
    df['total'] = df.orders.total()
    df['threads'] = os.environ['TOKENIZERS_PARALLELISM']
    df.to_csv('out.csv', index=False)
