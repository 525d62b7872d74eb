from pathlib import Path

import pandas as pd

HERE = Path(__file__).resolve().parent
SOURCE = HERE / 'orders.csv'
TARGET = SOURCE.with_name('out.csv')

if not SOURCE.exists():
    raise SystemExit('no input')
frame = pd.read_csv(SOURCE)
frame['code'] = frame['country'].map({'DE': 1, 'FR': 2}).fillna(0).astype(int)
frame.to_csv(TARGET, index=False)
