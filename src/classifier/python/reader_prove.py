"""Proves that a recipe makes of some rows what they are in the DataFrame of the whole file."""

import math

import numpy as np
import pandas as pd
from host_target import HostError

TEXT_CURE = "Give such a column the dtype 'str' in the call and in the original job, and convert in the classifier"


def assembled(recipe, columns, count, done):
    """What a worker makes of a piece. It reads it alone, and pandas may fail at that."""
    try:
        return recipe.assemble(columns, count, range(done, done + count))
    except Exception as error:
        said = error.record['message'] if isinstance(error, HostError) else f'{type(error).__name__}: {" ".join(str(error).split())}'
        what = f'rows {done} to {done + count - 1} cannot be read as a part of the whole file: {said}'
        raise HostError('READ_DIFFERS', f'{what.rstrip(".")}. {TEXT_CURE}.') from error


def prove(made, part, first, line):
    """Compares two DataFrames in everything a classifier can see. `first` is the number of the first row, `line` its line or None."""
    labels = part.columns
    if type(made.columns) is not type(labels) or not made.columns.equals(labels) or made.columns.names != labels.names:
        raise differs('the names of the columns', None, list(made.columns), list(labels))
    check_index(made.index, part.index, first, line)
    for position, label in enumerate(labels):
        check(made.iloc[:, position].array, part.iloc[:, position].array, f'column {label!r}', label, first, line)
    # pandas adds the numbers of a row block by block, so another layout rounds a sum otherwise.
    if not np.array_equal(made._mgr.blknos, part._mgr.blknos):
        raise differs('the blocks in which pandas keeps the columns', None, len(made._mgr.blocks), len(part._mgr.blocks))


def check_index(made, part, first, line):
    if type(made) is not type(part) or list(made.names) != list(part.names):
        raise differs('the index', None, describe(made), describe(part))
    for level in range(part.nlevels):
        name = part.names[level]
        pair = made.get_level_values(level), part.get_level_values(level)
        check(pair[0].array, pair[1].array, 'the index' if name is None else f'the index {name!r}', name, first, line)


def check(made, part, where, label, first, line):
    """Compares two arrays: dtypes, values, and the types of objects."""
    if not same_dtype(made.dtype, part.dtype):
        raise differs(f'the dtype of {where}', label, made.dtype, part.dtype)
    if len(made) != len(part):
        raise differs(f'the number of rows of {where}', label, len(made), len(part))
    at = first_difference(made, part)
    if at is not None:
        lined = {} if line is None else {'line': line + at}
        place = f'{where}, row {first + at}' + ''.join(f' (line {number})' for number in lined.values())
        raise differs(place, label, shown(made[at]), shown(part[at]), row=first + at, **lined)


def same_dtype(made, part):
    if made != part or type(made) is not type(part):
        return False
    if isinstance(made, pd.CategoricalDtype):
        # Equal dtypes may have their categories in another order.
        return made.ordered == part.ordered and same_dtype(made.categories.dtype, part.categories.dtype) and (
            list(made.categories) == list(part.categories)
        )
    return getattr(made, 'storage', None) == getattr(part, 'storage', None)


def first_difference(made, part):
    """The first position at which two arrays of one dtype differ, or None."""
    made, part = plain(made), plain(part)
    dtype = part.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return first_true(made.codes != part.codes)
    if isinstance(dtype, np.dtype) and dtype.kind in 'iub':
        return first_true(made != part)
    if isinstance(dtype, np.dtype) and dtype.kind == 'f':
        # 0.0 and -0.0 are equal numbers and other texts.
        other = (made != part) | (np.signbit(made) != np.signbit(part))
        return first_true(other & ~(np.isnan(made) & np.isnan(part)))
    if dtype.kind in 'mM' and hasattr(made, 'asi8'):
        return first_true(made.asi8 != part.asi8)
    left, right = (np.asarray(getattr(array, '_ndarray', array), dtype=object).tolist() for array in (made, part))
    try:
        # 0.0 and -0.0 are equal here, too. Texts need no such look, which takes time.
        exact = isinstance(dtype, pd.StringDtype) or 0 not in right
        if left == right and exact and (dtype != object or list(map(type, left)) == list(map(type, right))):
            return None
    except (TypeError, ValueError):  # pd.NA and arrays are no truth values
        pass
    return next((at for at, pair in enumerate(zip(left, right)) if not same(*pair)), None)


def plain(array):
    """The numpy array of a column that has no dtype of pandas itself."""
    return array.to_numpy() if type(array).__name__ in ('NumpyExtensionArray', 'PandasArray') else array


def same(made, part):
    if type(made) is not type(part):
        return False
    if made is part or made is pd.NA or part is pd.NA:
        return made is part
    try:
        if isinstance(made, float) and made == part == 0:
            return math.copysign(1, made) == math.copysign(1, part)
        return bool(made == part) or (made != made and part != part)
    except (TypeError, ValueError):
        return False


def first_true(mask):
    return int(mask.argmax()) if mask.any() else None


def shown(value):
    return repr(value.item() if isinstance(value, np.generic) else value)[:80]


def describe(index):
    return f'{type(index).__name__} {list(index.names)}'


def differs(where, label, made, part, **facts):
    cure = 'Give every column a dtype' if label is None else f"Give dtype={{{label!r}: 'str'}}"
    message = (
        f'{where}: the whole file gives {part}, and a part of it alone gives {made}. So pandas cannot read rows in batches '
        f'here. {cure} in the call and in the original job (instead of a converter or parse_dates), and convert in the classifier.'
    )
    facts = {'column': None if label is None else str(label), 'whole': str(part), 'part': str(made), **facts}
    return HostError('READ_DIFFERS', message, facts)
