import asyncio

LOOPS = set()


async def lookup(name):
    await asyncio.sleep(0)
    LOOPS.add(id(asyncio.get_running_loop()))
    return name.upper()


async def classify_df(df):
    df['CLASS'] = await asyncio.gather(*(lookup(name) for name in df['NAME']))
    df['LOOPS'] = len(LOOPS)
    return df


def original(df):
    return asyncio.run(classify_df(df))
