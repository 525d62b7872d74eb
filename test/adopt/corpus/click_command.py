import click
import pandas as pd


@click.command()
@click.argument('source')
@click.argument('target')
@click.option('--limit', default=10.0)
def main(source, target, limit):
    df = pd.read_csv(source)
    df['dear'] = df['price'] > limit
    df.to_csv(target, index=False)


if __name__ == '__main__':
    main()
