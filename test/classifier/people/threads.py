from concurrent.futures import ThreadPoolExecutor


def label(name):
    return name.swapcase()


def classify_df(df):
    with ThreadPoolExecutor(4) as pool:
        df['CLASS'] = list(pool.map(label, df['NAME']))
