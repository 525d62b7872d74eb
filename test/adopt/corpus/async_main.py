import asyncio
import pandas as pd


async def main():
    df = pd.read_csv('orders.csv')
    df['x'] = df['name'].str.title()
    df.to_csv('out.csv', index=False)


asyncio.run(main())
