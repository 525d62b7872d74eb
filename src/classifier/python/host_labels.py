"""What the JSON of a recipe stands for: labels, dtypes, and the arguments of the call by the position of a cell."""

import base64
import importlib
import json
import math
import sys
import zlib

import pandas as pd
from host_target import HostError
from pandas.api import types
from pandas.io.parsers import readers

LARGE, LONG, MOST_BYTES = ('rules', 'columns'), 100_000, 64 * 1024 * 1024
PANDAS = tuple(map(int, pd.__version__.split('.')[:2]))
# Since pandas 3, texts are those of pyarrow where it is installed. Some of their methods give other results.
WITH = ' with pyarrow' if PANDAS >= (3, 0) and pd.StringDtype(na_value=math.nan).storage == 'pyarrow' else ''


def packed(recipe):
    """The text of a recipe. A job record has at most 1 MB, and 15,000 columns or 60,000 categories take more: they are packed."""
    text = json.dumps(recipe, sort_keys=True, ensure_ascii=False)
    if len(text) < LONG:
        return text
    large = json.dumps({name: recipe[name] for name in LARGE}).encode()
    rest = {name: value for name, value in recipe.items() if name not in LARGE}
    return json.dumps({**rest, 'packed': base64.b64encode(zlib.compress(large)).decode()}, sort_keys=True)


def unpacked(text):
    recipe = json.loads(text)
    if 'packed' in recipe:
        # Anybody can write a job record, and some kilobytes unpack to gigabytes.
        large = zlib.decompressobj().decompress(base64.b64decode(recipe['packed']), MOST_BYTES)
        recipe.update(json.loads(large))
    return recipe


def version():
    """The version of pandas without the patch, such as 3.1: patches change no dtype."""
    return '.'.join(map(str, PANDAS)) + WITH


def check_pandas(made):
    """Refuses a recipe that another version of pandas made."""
    if made != version():
        what = f'the rows of this job were read by pandas {made}, and {sys.executable} has pandas {pd.__version__}{WITH}'
        cure = 'which may read them otherwise. Give this worker the packages of the publisher (--python PATH).'
        raise HostError('PYTHON_UNUSABLE', f'{what}, {cure}', {'python': sys.executable})


def na_values(args, keys, engine):
    """What means a missing value in the column that the call may name by `keys`: texts, and numbers beside them."""
    if args.get('na_filter', True) is False:
        return frozenset()
    keep = args.get('keep_default_na', True)
    words, numbers_too = readers._clean_na_values(args.get('na_values'), keep)
    if not isinstance(words, dict):
        return frozenset(words | numbers_too)
    key = next((key for key in map(key_from, keys) if key in words), None)
    if key is None:
        return frozenset(readers.STR_NA_VALUES if keep else ())
    # Before pandas 3 a dict keeps its numbers, and the C engine makes texts of them.
    texts = map(str, words[key]) if engine == 'c' else ()
    return frozenset([*words[key], *numbers_too[key], *texts])


def is_missing(value, missing):
    try:
        return value in missing
    except TypeError:  # a list, for example
        return False


def by_position(given, keys):
    """A dict by column of the call as a dict by position."""
    if not isinstance(given, dict):
        return given
    found = {}
    for position, names in enumerate(keys):
        key = next((key for key in map(key_from, names) if key in given), None)
        if key is not None:
            found[position] = given[key]
    return found


def key_from(key):
    return tuple(map(key_from, key)) if isinstance(key, list) else key


def label_of(label):
    return tuple(map(label_of, label)) if isinstance(label, list) else label


def labels_of(columns):
    labels, names = [label_of(label) for label in columns['labels']], [label_of(name) for name in columns['names']]
    if columns['type'] == 'range':
        return pd.RangeIndex(len(labels), name=names[0])
    if columns['type'] == 'multi':
        return pd.MultiIndex.from_tuples(labels, names=names)
    return pd.Index(labels, dtype=columns['dtype'], name=names[0], tupleize_cols=False)


def dtype_of(given):
    """The dtype that a recipe names: a text, the categories, the offset of a time zone, or the texts of pyarrow."""
    if isinstance(given, dict) and 'arrow' in given:
        return pd.ArrowDtype(importlib.import_module('pyarrow').string())
    if isinstance(given, dict) and 'zone' in given:
        return pd.DatetimeTZDtype(given['unit'], pd.Timestamp(f'2000-01-01T00:00:00{given["zone"]}').tz)
    if isinstance(given, dict):
        categories = pd.Index(given['categories'], dtype=given['dtype'])
        return pd.CategoricalDtype(categories, ordered=given['ordered'])
    return types.pandas_dtype(given)
