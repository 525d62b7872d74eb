import pandas as pd
import logging
logger = logging.getLogger(__name__)
class Config:
    def __init__(self):
        self.src = 'orders.csv'
        self.dst = 'out.csv'
class ETL:
    def __init__(self, config):
        self.config = config
    def extract(self):
        return pd.read_csv(self.config.src)
    def transform(self, df):
        df['x'] = df['price'] * 2
        return df
    def load(self, df):
        df.to_csv(self.config.dst, index=False)
    def run(self):
        df = self.extract()
        df = self.transform(df)
        self.load(df)
if __name__ == '__main__':
    ETL(Config()).run()
