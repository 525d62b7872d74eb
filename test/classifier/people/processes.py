from multiprocessing import Pool


def label(name):
    return name.title()


def classify_df(df):
    with Pool(2) as pool:
        df['CLASS'] = pool.map(label, df['NAME'])
