"""The kind of each output column: it tells whether to_csv prints a batch as it prints the whole DataFrame."""

import functools

import numpy as np
import pandas as pd
from pandas.api import types

# The resolutions at which pandas changes how it prints a whole column of timestamps.
RESOLUTIONS = {'hour': 'second', 'minute': 'second'}

# pandas keeps the numbers of an object column as they are, so they have kinds of their own.
OBJECT_KINDS = {
    'string': 'text',
    'empty': 'empty',
    'integer': 'object integer',
    'floating': 'object float',
    'boolean': 'boolean',
}


def kinds_of(result, rows, to_csv, count):
    """Returns one word for each output column: its kind, see Kind in model.ts. The function got `count` rows."""
    arrays = []
    if to_csv.get('index', True):
        levels = result.index.nlevels
        arrays = [result.index] if levels == 1 else [result.index.get_level_values(i) for i in range(levels)]
    if count > 0 and not rows:
        return [*('empty' for _ in arrays), *('dropped float' if dtype == float else 'empty' for dtype in result.dtypes)]
    kinds = [kind_of(array, to_csv) for array in arrays]
    first, missing = rows[0] if rows else None, to_csv.get('na_rep', '')
    for at, dtype in enumerate(result.dtypes):
        if first is not None and isinstance(dtype, pd.StringDtype) and first[at + len(arrays)] != missing:
            kinds.append('text')
        else:
            kinds.append(kind_of(result.iloc[:, at], to_csv))
    return kinds


def kind_of(values, to_csv):
    dated = to_csv.get('date_format') is None
    dtype = values.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in 'iu':
        return integer_kind(values.to_numpy())
    if isinstance(dtype, np.dtype) and dtype.kind == 'f':
        kind = float_kind(values.to_numpy(), to_csv)
        # pandas prints a narrow float in a column of wide ones with the digits of a wide one.
        return str(dtype) if dtype.itemsize != 8 and kind != 'empty' else kind
    if dtype == object:
        return object_kind(values)
    if isinstance(dtype, pd.Int64Dtype):
        return nullable_kind(values)
    if types.is_integer_dtype(dtype) or types.is_float_dtype(dtype):
        return str(dtype)  # Int64, Float64 and the like: missing values do not change them
    if isinstance(dtype, pd.CategoricalDtype) and len(dtype.categories) == 0:
        return 'missing' if len(values) else 'empty'
    if values.isna().all() and not is_category_of_values(dtype):
        return 'empty'
    if types.is_bool_dtype(dtype):
        return 'boolean'
    if isinstance(dtype, pd.CategoricalDtype):
        categories = dtype.categories.dtype
        plain = values.astype(categories) if categories.kind in 'mM' else None
        return f'category[{categories if plain is None else kind_of(plain, to_csv)}]'
    if types.is_datetime64_any_dtype(dtype) and dated and (isinstance(dtype, np.dtype) or zoned_as_one()):
        resolution = pd.DatetimeIndex(values).resolution
        return f'{dtype} {RESOLUTIONS.get(resolution, resolution)}'
    if types.is_timedelta64_dtype(dtype):
        return span_kind(pd.TimedeltaIndex(values).dropna(), dtype)
    return 'text' if isinstance(dtype, pd.StringDtype) else str(dtype)


def integer_kind(values):
    """Beside negative numbers, those beyond int64 fit no dtype of integers."""
    if len(values) == 0:
        return 'empty'
    if values.dtype.kind == 'u':
        return 'unsigned' if values.max() > np.iinfo('int64').max else 'integer'
    return 'negative' if values.min() < 0 else 'integer'


def nullable_kind(values):
    """Beside missing values they may have been floats, which cannot be every integer beyond 2**53."""
    if values.isna().any():
        return 'Int64 missing'
    numbers = values.to_numpy('int64')
    return 'Int64 long' if len(numbers) and (numbers.max() > 2**53 or numbers.min() < -(2**53)) else 'Int64'


def object_kind(values):
    found = types.infer_dtype(values, skipna=True)
    if found == 'empty' and not all(value is None or isinstance(value, float) for value in values):
        return 'missing'
    # A float beside text may be an integer that a missing value made a float, before text took the place of that value.
    if found == 'mixed' and any(isinstance(value, (float, np.floating)) and value == value for value in values):
        return 'mixed float'
    return OBJECT_KINDS.get(found, 'mixed')


def is_category_of_values(dtype):
    """Whether pandas writes the categories one by one, so that they have a kind even if none of them occurs."""
    return isinstance(dtype, pd.CategoricalDtype) and getattr(dtype.categories.dtype, 'kind', 'O') not in 'mM'


def span_kind(spans, dtype):
    units = {'day': pd.Timedelta(days=1), 'second': pd.Timedelta(seconds=1), 'microsecond': pd.Timedelta(microseconds=1)}
    unit = next((name for name, span in units.items() if (spans % span == pd.Timedelta(0)).all()), 'nanosecond')
    return f'{dtype} {unit}' if unit == 'day' or spans_as_one() else str(dtype)


@functools.lru_cache(None)
def zoned_as_one():
    """Whether this pandas writes times with a time zone as exactly as the most exact one of them."""
    return are_as_one(pd.to_datetime([0, 1500], unit='ms').tz_localize('UTC'))


@functools.lru_cache(None)
def spans_as_one():
    return are_as_one(pd.to_timedelta([0, 1500], unit='ms'))


def are_as_one(values):
    first, _ = pd.DataFrame({'value': values}).to_csv(header=False, index=False, lineterminator='\n').splitlines()
    return '.' in first


def float_kind(values, to_csv):
    present = values[~np.isnan(values)]
    if len(present) == 0:
        return 'empty'
    # With float_format or decimal, pandas formats a column of floats, but not floats among objects.
    formatted = to_csv.get('float_format') is not None or to_csv.get('decimal', '.') != '.'
    return 'whole' if formatted or (np.isfinite(present) & (np.floor(present) == present)).any() else 'float'
