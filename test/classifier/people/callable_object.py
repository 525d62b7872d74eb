class Classifier:
    def __init__(self, suffix):
        self.suffix = suffix

    def __call__(self, df):
        df['CLASS'] = df['NAME'] + self.suffix
        return df


classify_df = Classifier('!')
