"""Checks and shapes what a classifier returned."""

import inspect

import pandas as pd
from host_frame import check_width
from host_target import HostError
from pandas.api import types


def shaped(result, where, who):
    """What a classifier returned, as a DataFrame. to_csv writes a Series as a DataFrame of one column."""
    if isinstance(result, pd.Series):
        result = result.to_frame()
    if inspect.isgenerator(result) or inspect.isasyncgen(result):
        raise contract(f'{who} returned a generator for {where}. Return one DataFrame: pd.concat(...) makes it of several.')
    if not isinstance(result, pd.DataFrame):
        raise contract(
            f'{who} returned {type(result).__name__} for {where}, not a DataFrame or a Series. '
            'Return the DataFrame (or None after changing it in place).'
        )
    if result.columns.nlevels > 1:
        raise contract(f'{who} returned columns of {result.columns.nlevels} levels. Make them one level.')
    return result


def contract(message, facts=None):
    return HostError('CLASSIFIER_CONTRACT', message, facts)


def select_columns(result, columns):
    """The columns that --to-csv asks for."""
    missing = [name for name in columns if name not in result.columns]
    if missing:
        there = ', '.join(map(str, result.columns))
        raise contract(f'--to-csv asks for column {missing[0]!r}; the classifier made {there}.')
    return result.loc[:, columns]


def check_casts(casts):
    for column, dtype in casts:
        try:
            found = types.pandas_dtype(dtype)
        except Exception as error:
            raise HostError('USAGE', f'--cast {column}={dtype}: pandas {pd.__version__} knows no such dtype.') from error
        check_width(found, f'--cast {column}={dtype}')


def cast_columns(result, casts):
    """Applies each (column, dtype) of `casts` to a copy, since the function may still hold `result`."""
    result = result.copy(deep=False)
    labels = [str(label) for label in result.columns]
    for column, dtype in casts:
        if labels.count(column) != 1:
            what = 'no column' if column not in labels else 'more than one column'
            there = ', '.join(labels)
            raise HostError('USAGE', f'--cast {column}={dtype}: the output has {what} of that name. It has {there}.')
        label = result.columns[labels.index(column)]
        try:
            result[label] = result[label].astype(dtype)
        except Exception as error:
            bad = first_bad(result[label], dtype)
            raise contract(
                f'--cast {column}={dtype}: {type(error).__name__}: {error}{bad}. Choose a dtype that holds every value.',
                {'column': column, 'dtype': dtype},
            ) from error
    return result


def first_bad(values, dtype):
    for index, value in values.items():
        try:
            pd.Series([value]).astype(dtype)
        except Exception:
            return f' (first bad value {value!r}, id {index!r})'
    return ''
