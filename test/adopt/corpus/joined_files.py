from pathlib import Path
import pandas as pd

frames = []
for path in sorted(Path('.').glob('part*.csv')):
    frames.append(pd.read_csv(path))
df = pd.concat(frames)
df['x'] = 1
df.to_csv('out.csv', index=False)
