import argparse
import pandas as pd
def main(args):
    df = pd.read_csv(args.input)
    df['x'] = df['price'] * args.factor
    df.to_csv(args.output, index=False)
if __name__ == '__main__':
    p = argparse.ArgumentParser()
    p.add_argument('--input', default='orders.csv')
    p.add_argument('--output', default='out.csv')
    p.add_argument('--factor', type=float, default=2)
    main(p.parse_args())
