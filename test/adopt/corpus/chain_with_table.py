import pandas as pd
IN = 'orders.csv'
OUT = 'out.csv'

def clean(df):
    df.columns = df.columns.str.lower()
    return df

def enrich(df, table):
    return df.assign(zone=df['country'].map(table))

TABLE = pd.read_csv('countries.csv').set_index('country')['zone'].to_dict()
(pd.read_csv(IN)
   .pipe(clean)
   .pipe(enrich, TABLE)
   .to_csv(OUT, index=False))
