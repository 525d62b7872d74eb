"""Rows of text to the frame that the old job's read_csv made of them, and the classified frame to the cells that its
to_csv wrote. Both directions run pandas' own code, so that bytes agree with the serial job under the same pandas.
"""

import csv
import inspect
import io

import numpy as np
import pandas as pd
from host_target import HostError
from pandas.api import types
from pandas.io.formats import csvs
from pandas.io.parsers import TextParser

# What the old job asked of read_csv unless the job record says otherwise.
READ_CSV = {'index_col': 0, 'dtype': 'str'}

# Job.indexKind -> the dtype of the index. 'range': whole numbers in even steps, which newer pandas read as RangeIndex.
INDEX_DTYPES = {
    'integer': 'int64',
    'range': 'int64',
    'unsigned': 'uint64',
    'float': 'float64',
    'empty': 'float64',
    'boolean': 'bool',
    'text': 'str',
}

# The resolutions at which pandas changes how it prints a whole column of timestamps.
RESOLUTIONS = {'hour': 'second', 'minute': 'second'}

OBJECT_KINDS = {'string': 'text', 'empty': 'empty', 'integer': 'integer', 'floating': 'float', 'boolean': 'boolean'}


class Reader:
    """Makes frames of the rows of one job. Keeps the names and dtypes that follow from its header."""

    def __init__(self, columns, index_kind, read_csv):
        header = list(columns)
        if header and header[0].startswith('\ufeff'):
            # The parser takes a byte order mark off its first cell; the source has taken off the one of the file.
            header[0] = '\ufeff' + header[0]
        self.header = header
        self.options = {**READ_CSV, **read_csv, 'header': 0, 'skip_blank_lines': False}
        self.options.pop('engine', None)
        self.index_kind = index_kind
        self.numbered = self.options['index_col'] is None or self.options['index_col'] is False
        self.ranged = index_kind == 'range' and not self.numbered and reads_ranges()
        self.words = self.boolean_words() if index_kind == 'boolean' else None
        self.forced = dict(self.options)
        self.index_dtype = None
        if index_kind is not None and not self.numbered:
            self.forced['dtype'] = self.dtypes(index_kind)
            self.index_dtype = pd.Index([], dtype=INDEX_DTYPES[index_kind]).dtype

    def boolean_words(self):
        """The place of the index among the values, and what may stand there; None where several columns make it."""
        column = self.options['index_col']
        if isinstance(column, list) and len(column) == 1:
            column = column[0]
        if column in self.header:
            column = self.header.index(column)
        if isinstance(column, bool) or not isinstance(column, int):
            return None
        given = [*(self.options.get('true_values') or []), *(self.options.get('false_values') or [])]
        return column, {'True', 'TRUE', 'true', 'False', 'FALSE', 'false', *given}

    def check_booleans(self, rows, seqs):
        """Of a text that is none, pandas makes True where it is told that the column is boolean."""
        column, words = self.words
        for at, row in enumerate(rows):
            if column < len(row) and row[column] not in words:
                raise HostError(
                    'CLASSIFIER_FAILED',
                    f'{place(seqs, len(rows), at)}: {row[column]!r} is no boolean, and the index kind of the job is boolean.',
                    {'index': at},
                )

    def dtypes(self, index_kind):
        """The dtype of every column by its final name, so that each batch reads as the whole file would."""
        if index_kind not in INDEX_DTYPES:
            words = ', '.join(INDEX_DTYPES)
            raise HostError('USAGE', f'index kind {index_kind!r} is not known to this worker. It knows {words}.')
        empty = self.parse([], self.options)
        given = self.options['dtype']
        names = dict(given) if isinstance(given, dict) else {name: given for name in empty.columns}
        for name in empty.index.names:
            names[name] = INDEX_DTYPES[index_kind]
        return {name: resolved(dtype) for name, dtype in names.items()}

    def parse(self, rows, options):
        return TextParser([self.header, *rows], **options).read()

    def frame(self, rows, seqs):
        """A new frame of `rows`; `seqs` are their numbers in the job (or None), the index of a job without one."""
        longest = max(map(len, rows), default=0)
        if longest > len(self.header):
            at = next(i for i, row in enumerate(rows) if len(row) > len(self.header))
            raise HostError(
                'ROW_MALFORMED',
                f'{place(seqs, len(rows), at)} has {len(rows[at])} values, the header has {len(self.header)} columns.',
                {'index': at},
            )
        if self.words:
            self.check_booleans(rows, seqs)
        try:
            frame = self.parse(rows, self.forced if rows else self.options)
            # pandas 1.5 parses the index by the dtype it is given, but then infers once more.
            if rows and self.index_dtype is not None and frame.index.dtype != self.index_dtype:
                frame.index = frame.index.astype(self.index_dtype)
        except Exception as error:
            raise HostError(
                'CLASSIFIER_FAILED',
                f'pandas cannot read {place(seqs, len(rows))} as the job asks (index kind {self.index_kind}): '
                f'{type(error).__name__}: {error}. Check --index-kind and --read-csv.',
                {'type': type(error).__name__},
            ) from error
        if len(frame) != len(rows):
            raise HostError('ROW_MALFORMED', f'pandas made {len(frame)} rows of {place(seqs, len(rows))}.')
        if self.numbered and seqs:
            frame.index = numbers(seqs)
        elif self.ranged and rows:
            frame.index = numbers(frame.index.tolist(), frame.index.name)
        return frame


def resolved(dtype):
    """The dtype behind a name: to look it up takes pandas a good part of the time of a batch."""
    found = types.pandas_dtype(dtype)
    # Before pandas 3 'str' is numpy's, which has a length: there only the name means any text.
    return dtype if found.kind == 'U' else found


def reads_ranges():
    """Whether read_csv of this pandas makes a RangeIndex of running numbers."""
    probe = TextParser([['i', 'a'], ['1', ''], ['3', ''], ['5', '']], **READ_CSV).read()
    return isinstance(probe.index, pd.RangeIndex)


def numbers(values, name=None):
    """The index over whole numbers: a RangeIndex, as in the serial job, wherever they have one step."""
    step = values[1] - values[0] if len(values) > 1 else 1
    span = range(values[0], values[0] + step * len(values), step) if step else ()
    if list(span) == values:
        return pd.RangeIndex(span.start, span.stop, span.step, name=name)
    return pd.Index(values, dtype='int64', name=name)


def place(seqs, count, index=None):
    """Rows in words: their numbers within the job where it has them."""
    if index is not None:
        return f'row {seqs[index]}' if seqs else f'row {index} of a batch of {count}'
    if seqs:
        return f'row {seqs[0]}' if count == 1 else f'rows {seqs[0]} to {seqs[-1]}'
    return f'a batch of {count} rows'


class Cells(io.StringIO):
    """What to_csv is given to write to: it keeps the rows of cells, before any quoting."""

    def __init__(self):
        super().__init__()
        self.rows = []


class CellWriter:
    """In place of csv.writer. A cell is text as csv.writer writes it (Python's csv, `writerow`: None is empty)."""

    def __init__(self, cells):
        self.rows = cells.rows

    def writerow(self, row):
        self.rows.append([c if type(c) is str else cell_text(c) for c in row])

    def writerows(self, rows):
        # pandas fills the same row lists again for the next hundred rows.
        self.rows.extend([[c if type(c) is str else cell_text(c) for c in row] for row in rows])


def cell_text(cell):
    if cell is None:
        return ''
    # Of a subclass of str, such as a str Enum, csv.writer takes the text itself and not what str() makes of it.
    return str.__str__(cell) if isinstance(cell, str) else str(cell)


class CsvModule:
    """Stands for the csv module inside pandas' to_csv: catches our own writes and passes on everybody else's."""

    def __getattr__(self, name):
        return getattr(csv, name)

    def writer(self, handle, *args, **options):
        return CellWriter(handle) if isinstance(handle, Cells) else csv.writer(handle, *args, **options)


def catch_cells():
    """Installs the hook and proves that it works with this pandas."""
    csvs.csvlib = CsvModule()
    frame = pd.DataFrame({'a': ['x,"y', None], 'b': [0.5, float('nan')]}, index=pd.Index([1, 2], name='i'))
    cells = Cells()
    frame.to_csv(cells)
    if cells.rows != [['i', 'a', 'b'], ['1', 'x,"y', '0.5'], ['2', '', '']] or cells.getvalue():
        raise HostError(
            'PYTHON_UNUSABLE',
            f'the cells of to_csv cannot be caught in pandas {pd.__version__}. Use pandas 1.5 to 3.1 (--python PATH).',
        )


def check_result(result, index, seqs, who):
    """The promise of a classifier: a DataFrame, one row per row, in order. Equal index values prove it."""
    where = place(seqs, len(index))
    if inspect.iscoroutine(result):
        result.close()  # else Python warns that nobody awaited it
        raise contract(f'{who} is async. Name a plain function, such as one that calls asyncio.run on this one.')
    if not isinstance(result, pd.DataFrame):
        raise contract(
            f'{who} returned {type(result).__name__} for {where}, not a DataFrame. '
            'Return the frame (or None after changing it in place).'
        )
    if result.columns.nlevels > 1:
        raise contract(f'{who} returned columns of {result.columns.nlevels} levels. Make them one level.')
    if len(result) != len(index):
        raise contract(
            f'{who} returned {len(result)} rows for {len(index)} ({where}). '
            'It must return one row for each row: mark rows in a column instead of dropping them.',
            {'expected': len(index), 'found': len(result)},
        )
    if result.index is index or result.index.equals(index):
        return
    found, expected = list(result.index), list(index)
    at = next((i for i, pair in enumerate(zip(found, expected)) if pair[0] != pair[1]), 0)
    advice = 'Keep the index of the frame: no reset_index, set_index or new ids.'
    if sorted(map(str, found)) == sorted(map(str, expected)) and type(found[at]) is type(expected[at]):
        advice = 'The ids are the same in another order: do not sort or shuffle rows.'
    raise contract(
        f'{who} returned another index: {place(seqs, len(index), at)} has id {expected[at]!r}, '
        f'in its place came {found[at]!r}. {advice}',
        {'index': at},
    )


def contract(message, facts=None):
    return HostError('CLASSIFIER_CONTRACT', message, facts)


def select_columns(result, columns):
    """The columns that to_csv was asked for."""
    missing = [name for name in columns if name not in result.columns]
    if missing:
        there = ', '.join(map(str, result.columns))
        raise contract(f'--to-csv asks for column {missing[0]!r}; the classifier made {there}.')
    return result.loc[:, columns]


def check_casts(casts):
    for column, dtype in casts:
        try:
            types.pandas_dtype(dtype)
        except Exception as error:
            raise HostError('USAGE', f'--cast {column}={dtype}: pandas {pd.__version__} knows no such dtype.') from error


def cast_columns(result, casts):
    """Each (column, dtype) of `casts` applied, on a frame of its own: the function may still hold `result`."""
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


def write_cells(result, to_csv):
    """(columns, rows of cells) of `result`, the index first where to_csv writes one."""
    names = to_csv.get('header')
    if isinstance(names, list) and len(names) != len(result.columns):
        raise HostError(
            'USAGE',
            f'--to-csv header: it lists {len(names)} names, the output has {len(result.columns)} columns: '
            f'{", ".join(map(str, result.columns))}.',
        )
    cells = Cells()
    result.to_csv(cells, **to_csv)
    return cells.rows[0], cells.rows[1:]


def kinds_of(result, rows, to_csv):
    """One word for each output column (Kind in model.ts)."""
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
        # A narrow float in a column of wide ones is printed with the digits of a wide one.
        return str(dtype) if dtype.itemsize != 8 and kind != 'empty' else kind
    if dtype == object:
        return OBJECT_KINDS.get(types.infer_dtype(values, skipna=True), 'mixed')
    if types.is_integer_dtype(dtype) or types.is_float_dtype(dtype):
        return str(dtype)  # Int64, Float64 and the like: missing values change nothing
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
    # What formats floats leaves the objects alone that they would be in a column with text.
    formatted = to_csv.get('float_format') is not None or to_csv.get('decimal', '.') != '.'
    return 'whole' if formatted or (np.isfinite(present) & (np.floor(present) == present)).any() else 'float'
