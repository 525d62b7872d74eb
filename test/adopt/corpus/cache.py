import pandas as pd, re
pat = re.compile("x")
def main():
    df = pd.read_csv('orders.csv')
    cache = {}
    def look(name):
        if name not in cache:
            cache[name] = len(name)
        return cache[name]
    df['n'] = df['name'].apply(look)
    unknown = [c for c in df.columns if c.startswith('_')]
    df = df.drop(unknown, axis=1)
    try:
        df['p'] = df['price'].astype(int)
    except ValueError:
        df['p'] = -1
    if 'note' in df:
        del df['note']
    else:
        raise SystemExit('no note')
    df.to_csv('out.csv', index=False)
main()
