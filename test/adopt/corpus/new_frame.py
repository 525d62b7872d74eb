import pandas as pd
df = pd.read_csv('orders.csv')
texts = df['name'].tolist()
labels = []
for t in texts:
    label = 'other'
    for w in ('shoe', 'boot'):
        if w in t.lower():
            label = w
            break
    labels.append(label)
out = pd.DataFrame({'id': df['id'], 'label': labels})
out.to_csv('out.csv', index=False)
