import pandas as pd
seen = []
def f(name):
    seen.append(name)
    return len(seen)
class Counter:
    n = 0
    def __call__(self, x):
        Counter.n += 1
        return Counter.n
df = pd.read_csv('orders.csv')
df['a'] = df['name'].map(f)
df['b'] = df['name'].map(Counter())
df.to_csv('out.csv', index=False)
