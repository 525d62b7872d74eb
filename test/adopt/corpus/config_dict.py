import pandas as pd
def run(cfg):
    df = pd.read_csv(cfg['in'], **cfg.get('read', {}))
    df['x'] = cfg['value']
    df.to_csv(cfg['out'], **cfg['write'])
run({'in': 'orders.csv', 'out': 'out.csv', 'value': 5, 'write': {'index': False}})
