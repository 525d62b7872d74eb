"""The kind of each output column: it tells whether to_csv prints a batch as it prints the whole DataFrame."""

import numpy as np
import pandas as pd
from pandas.api import types

# The resolutions at which pandas changes how it prints a whole column of timestamps.
RESOLUTIONS = {'hour': 'second', 'minute': 'second'}

OBJECT_KINDS = {'string': 'text', 'empty': 'empty', 'integer': 'integer', 'floating': 'float', 'boolean': 'boolean'}


def kinds_of(result, rows, to_csv):
    """Returns one word for each output column: its kind, see Kind in model.ts."""
    arrays = []
    if to_csv.get('index', True):
        levels = result.index.nlevels
        arrays = [result.index] if levels == 1 else [result.index.get_level_values(i) for i in range(levels)]
    kinds = [kind_of(array, to_csv) for array in arrays]
    first, missing = rows[0] if rows else None, to_csv.get('na_rep', '')
    for at, dtype in enumerate(result.dtypes):
        if first is not None and isinstance(dtype, pd.StringDtype) and first[at + len(arrays)] != missing:
            kinds.append('text')
        else:
            kinds.append(kind_of(result.iloc[:, at], to_csv))
    return kinds


def kind_of(values, to_csv):
    dated = 'date_format' not in to_csv
    dtype = values.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in 'iu':
        return 'integer' if len(values) else 'empty'
    if isinstance(dtype, np.dtype) and dtype.kind == 'f':
        kind = float_kind(values.to_numpy(), to_csv)
        # pandas prints a narrow float in a column of wide ones with the digits of a wide one.
        return str(dtype) if dtype.itemsize != 8 and kind != 'empty' else kind
    if dtype == object:
        return OBJECT_KINDS.get(types.infer_dtype(values, skipna=True), 'mixed')
    if types.is_integer_dtype(dtype) or types.is_float_dtype(dtype):
        return str(dtype)  # Int64, Float64 and the like: missing values do not change them
    if values.isna().all():
        return 'empty'
    if types.is_bool_dtype(dtype):
        return 'boolean'
    if isinstance(dtype, pd.CategoricalDtype):
        categories = dtype.categories.dtype
        plain = values.astype(categories) if categories.kind in 'mM' else None
        return f'category[{categories if plain is None else kind_of(plain, to_csv)}]'
    if types.is_datetime64_any_dtype(dtype) and dated:
        resolution = pd.DatetimeIndex(values).resolution
        return f'{dtype} {RESOLUTIONS.get(resolution, resolution)}'
    if types.is_timedelta64_dtype(dtype):
        days = (pd.TimedeltaIndex(values).dropna() % pd.Timedelta(days=1) == pd.Timedelta(0)).all()
        return f'{dtype} day' if days else str(dtype)
    return 'text' if isinstance(dtype, pd.StringDtype) else str(dtype)


def float_kind(values, to_csv):
    present = values[~np.isnan(values)]
    if len(present) == 0:
        return 'empty'
    # With float_format or decimal, pandas formats a column of floats, but not floats among objects.
    formatted = to_csv.get('float_format') is not None or to_csv.get('decimal', '.') != '.'
    return 'whole' if formatted or (np.isfinite(present) & (np.floor(present) == present)).any() else 'float'
