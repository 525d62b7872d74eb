"""Keeps results in a folder, as joblib.Memory does."""

import hashlib
import os
import tempfile

os.makedirs('cache', exist_ok=True)


def slow(name):
    path = os.path.join('cache', hashlib.md5(name.encode()).hexdigest())
    if not os.path.exists(path):
        handle, draft = tempfile.mkstemp(dir='cache')
        with os.fdopen(handle, 'w') as file:
            file.write(name.upper())
        os.replace(draft, path)
    with open(path) as file:
        return file.read()


def classify_df(df):
    df['CLASS'] = df['NAME'].map(slow)
