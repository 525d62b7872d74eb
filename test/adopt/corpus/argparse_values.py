import argparse
import pandas as pd

parser = argparse.ArgumentParser()
parser.add_argument('input')
parser.add_argument('output')
parser.add_argument('--limit', type=float, default=50)
parser.add_argument('--upper', action='store_true')
parser.add_argument('--sep', default=',')
parser.add_argument('--column', required=True)
args = parser.parse_args()

df = pd.read_csv(args.input, sep=args.sep)
df['dear'] = df[args.column] > args.limit
if args.upper:
    df['name'] = df['name'].str.upper()
df.to_csv(args.output, index=False)
