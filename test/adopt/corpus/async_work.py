import asyncio
import pandas as pd


async def label(name):
    await asyncio.sleep(0)
    return name.upper()


async def main():
    df = pd.read_csv('orders.csv')
    df['label'] = await asyncio.gather(*(label(name) for name in df['name']))
    df.to_csv('out.csv', index=False)


asyncio.run(main())
