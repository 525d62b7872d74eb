import pandas as pd

t = pd.read_table('plain.txt')
t['c'] = t['a'] + 1
t.to_csv('out.csv', sep='\t', index=False)
