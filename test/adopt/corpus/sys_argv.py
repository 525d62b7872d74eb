import sys
import pandas as pd

src, dst = sys.argv[1], sys.argv[2]
factor = float(sys.argv[3])

df = pd.read_csv(src)
df['price'] *= factor
df.to_csv(dst, index=False)
