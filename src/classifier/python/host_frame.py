"""Turns rows of text into the DataFrame that read_csv of the original job made of them.

It runs pandas' own parser, so that both DataFrames agree under the same pandas.
"""

import pandas as pd
from host_target import HostError
from pandas.api import types
from pandas.io.parsers import TextParser

# The arguments of read_csv unless the job record says otherwise.
READ_CSV = {'index_col': 0, 'dtype': 'str'}

# Job.indexKind -> the dtype of the index. 'range' is whole numbers in even steps: newer pandas read them as a RangeIndex.
INDEX_DTYPES = {
    'integer': 'int64',
    'range': 'int64',
    'unsigned': 'uint64',
    'float': 'float64',
    'empty': 'float64',
    'boolean': 'bool',
    'text': 'str',
}

# Anybody can write a job record, and a numpy dtype such as V2000000000 takes that many bytes for each value.
MAX_VALUE_BYTES = 64 * 1024


class Reader:
    """Makes DataFrames from the rows of one job. Keeps the names and dtypes that follow from its header."""

    def __init__(self, columns, index_kind, read_csv):
        header = list(columns)
        if header and header[0].startswith('\ufeff'):
            # The parser removes a byte order mark from its first cell. The source already removed the one of the file.
            header[0] = '\ufeff' + header[0]
        self.header = header
        self.options = {**READ_CSV, **read_csv, 'header': 0, 'skip_blank_lines': False}
        self.options.pop('engine', None)
        given = self.options['dtype']
        for dtype in given.values() if isinstance(given, dict) else [given]:
            check_width(types.pandas_dtype(dtype), f'--read-csv dtype {dtype}')
        self.index_kind = index_kind
        self.numbered = self.options['index_col'] is None or self.options['index_col'] is False
        self.ranged = index_kind == 'range' and not self.numbered and reads_ranges()
        self.words = self.boolean_words() if index_kind == 'boolean' else None
        self.large_floats = None if index_kind != 'float' or reads_large_floats() else self.index_column()
        self.forced = dict(self.options)
        self.index_dtype = None
        if index_kind is not None and not self.numbered:
            self.forced['dtype'] = self.dtypes(index_kind)
            self.index_dtype = pd.Index([], dtype=INDEX_DTYPES[index_kind]).dtype

    def index_column(self):
        """The position of the column of the index, or None if the index has several columns or none."""
        column = self.options['index_col']
        if isinstance(column, list) and len(column) == 1:
            column = column[0]
        if column in self.header:
            column = self.header.index(column)
        return column if isinstance(column, int) and not isinstance(column, bool) else None

    def boolean_words(self):
        """The column of the index and the texts it may hold, or None if the index has several columns."""
        column = self.index_column()
        if column is None:
            return None
        given = [*(self.options.get('true_values') or []), *(self.options.get('false_values') or [])]
        return column, {'True', 'TRUE', 'true', 'False', 'FALSE', 'false', *given}

    def check_booleans(self, rows, seqs):
        """Refuses a text that is no boolean: pandas reads any such text as True in a boolean column."""
        column, words = self.words
        for at, row in enumerate(rows):
            if column < len(row) and row[column] not in words:
                raise HostError(
                    'CLASSIFIER_FAILED',
                    f'{place(seqs, len(rows), at)}: {row[column]!r} is no boolean, and the index kind of the job is boolean.',
                    {'index': at},
                )

    def check_large_floats(self, rows, seqs):
        """Refuses numbers that only newer pandas reads as floats: the original job read a column with them as text."""
        column = self.large_floats
        doubtful = [at for at, row in enumerate(rows) if column < len(row) and may_be_large(row[column])]
        if not doubtful or self.parse([rows[at] for at in doubtful], self.options).index.dtype.kind in 'fiu':
            return
        for at in doubtful:
            if self.parse([rows[at]], self.options).index.dtype.kind not in 'fiu':
                raise HostError(
                    'CLASSIFIER_FAILED',
                    f'{place(seqs, len(rows), at)}: pandas {pd.__version__} reads {rows[at][column]!r} as text, and the index '
                    'kind of the job is float. pandas 3 reads it as a number.',
                    {'index': at},
                )

    def dtypes(self, index_kind):
        """The dtype of every column by its final name, so that pandas reads a batch as it reads the whole file."""
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
        """A new DataFrame of `rows`. `seqs` are their numbers in the job, or None. They are the index of a job without one."""
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
        if self.large_floats is not None:
            self.check_large_floats(rows, seqs)
        try:
            frame = self.parse(rows, self.forced if rows else self.options)
            # pandas 1.5 parses the index with the given dtype, and then infers its dtype again.
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


def check_width(dtype, what):
    """Refuses a dtype whose values take too much memory."""
    size = getattr(dtype, 'itemsize', 0)
    if size > MAX_VALUE_BYTES:
        raise HostError('USAGE', f'{what}: each value takes {size} bytes, and at most {MAX_VALUE_BYTES} are allowed.')


def resolved(dtype):
    """The dtype of a name. We look it up once: pandas would do so for every batch, and that is slow."""
    found = types.pandas_dtype(dtype)
    # Before pandas 3, 'str' is numpy's type of a fixed length. Only the name stands for text of any length.
    return dtype if found.kind == 'U' else found


def reads_ranges():
    """Whether read_csv of this pandas makes a RangeIndex from numbers in even steps."""
    probe = TextParser([['i', 'a'], ['1', ''], ['3', ''], ['5', '']], **READ_CSV).read()
    return isinstance(probe.index, pd.RangeIndex)


def reads_large_floats():
    """Whether read_csv of this pandas makes a float from a number beyond float64, and from 0e310. Older ones keep the text."""
    return TextParser([['i', 'a'], ['1e400', '']], **READ_CSV).read().index.dtype.kind == 'f'


def may_be_large(text):
    """Whether a number may need an exponent that float64 has not."""
    return 'e' in text or 'E' in text or len(text) > 300


def numbers(values, name=None):
    """The index of whole numbers: a RangeIndex if their steps are even, as in the original job."""
    if not values:
        return pd.RangeIndex(0, name=name)
    step = values[1] - values[0] if len(values) > 1 else 1
    span = range(values[0], values[0] + step * len(values), step) if step else ()
    if list(span) == values:
        return pd.RangeIndex(span.start, span.stop, span.step, name=name)
    return pd.Index(values, dtype='int64', name=name)


def place(seqs, count, index=None):
    """Names rows for a message, by their numbers in the job if they have some."""
    if index is not None:
        return f'row {seqs[index]}' if seqs else f'row {index} of a batch of {count}'
    if seqs:
        return f'row {seqs[0]}' if count == 1 else f'rows {seqs[0]} to {seqs[-1]}'
    return f'a batch of {count} rows'
