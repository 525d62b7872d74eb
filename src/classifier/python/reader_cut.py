"""Cuts a file into the texts of its cells, by the tokenizer that pandas takes for the call of the original job.

It opens the file with the arguments of the call and stops before the point at which pandas makes values of texts. What
acts on characters and lines (sep, skiprows, comment, usecols, ...) has its effect here. It uses parts of pandas that are
not public. The proof (reader_prove.py) finds every difference that a change of these parts could make.
"""

import contextlib
import io
import re
import warnings

import numpy as np
import pandas as pd
from host_target import HostError
from pandas.io.parsers import readers

# The C engine makes values while it cuts, so its call must leave out what makes values.
RAW = {'dtype': object, 'na_filter': False}
VALUES = (
    *('converters', 'true_values', 'false_values', 'na_values', 'keep_default_na', 'thousands', 'decimal', 'parse_dates'),
    *('date_format', 'dayfirst', 'cache_dates', 'dtype_backend', 'infer_datetime_format', 'keep_date_col'),
)

# The dtype of a column that nobody reads. The C engine makes no objects for it.
LEFT_OUT = np.dtype('S1')


class Unread(readers.TextFileReader):
    """Opens a file and reads no row. read_csv makes one while `readers.TextFileReader` is this class."""

    def read(self, nrows=None):
        return self

    def __exit__(self, *_):
        pass


class Cut:
    """The cells of a file, piece by piece."""

    def __init__(self, path, args):
        self.rest = args.get('nrows')
        self.at_once = bool(args.get('skipfooter'))
        # The lines that on_bad_lines leaves out, in the words of pandas.
        self.skipped = []
        more = {} if self.at_once else {'iterator': True}
        if args.get('on_bad_lines') == 'skip':
            more['on_bad_lines'] = 'warn'
        if args.get('error_bad_lines') is False:  # before pandas 2
            more['warn_bad_lines'] = True
        with self.caught():
            self.reader = open_unread(path, {**args, **more})
            self.engine = self.reader.engine
            if self.engine == 'c':
                self.reader.close()
                raw = {name: value for name, value in args.items() if name not in VALUES}
                self.reader = open_unread(path, {**raw, **RAW, **more})
        self.parser = self.reader._engine
        if self.engine == 'python':
            # This engine counts lines for nrows, also those that on_bad_lines leaves out.
            self.at_once = self.at_once or self.rest is not None
            # This engine keeps texts apart from values. What it does to texts of numbers is part of the recipe.
            self.parser.thousands, self.parser.decimal = None, '.'
        # The place of each cell in a row of the file, known after the first piece.
        self.places = []

    def close(self):
        self.reader.close()

    def pieces(self, count):
        """Yields lists of columns. Each has about `count` texts. A text is None if its row ended before it."""
        while self.rest is None or self.rest > 0:
            wanted = count if self.rest is None else min(count, self.rest)
            try:
                with self.caught():
                    columns = self.next_c(wanted) if self.engine == 'c' else self.next_python(wanted)
            except StopIteration:
                return
            if not columns:
                raise HostError('USAGE', 'the call reads no column, so there are no rows to cut.')
            if len(columns[0]):
                yield columns
            if self.at_once:
                return
            if self.rest is not None:
                self.rest -= len(columns[0])

    def leave_out(self, cells):
        """From the next piece on, makes no texts of these cells. Returns False if it cannot."""
        # The parser finds a dtype by the name of a column or by its place, so no name may be the place of another column.
        if self.engine != 'c' or any(name in self.places and name != place for name, place in zip(self.names, self.places)):
            return False
        left = {self.places[at] for at in cells}
        self.parser._reader.dtype = {place: LEFT_OUT if place in left else np.dtype(object) for place in self.places}
        return True

    def next_c(self, count):
        data = self.parser._reader.read(count)
        self.places = sorted(data)
        return [data[place] for place in self.places]

    def next_python(self, count):
        lines = self.parser._get_lines(self.rest if self.at_once else count)
        columns = self.parser._rows_to_cols(lines) if lines else [[]]
        used = self.parser._col_indices if self.parser.usecols is not None else None
        self.places = [*range(self.lead), *(self.lead + at for at in used)] if used else list(range(len(columns)))
        return columns

    @property
    def lead(self):
        """How many cells come before the first name of the header: an index without names."""
        if self.engine == 'c':
            return self.parser._reader.leading_cols
        return len(self.parser.index_col) if self.parser._implicit_index else 0

    @property
    def names(self):
        """The name of each cell, as the call may use it. The cells of an index without names have None."""
        return [None] * self.lead + list(self.parser.orig_names)

    @property
    def index_cells(self):
        if self.lead:
            return list(range(self.lead))
        columns = self.parser.index_col
        return [at % len(self.names) for at in columns] if isinstance(columns, (list, tuple)) else []

    def plain(self):
        """The cells whose texts the python engine never takes for numbers."""
        if self.engine == 'c':
            return []
        return [at for at, place in enumerate(self.places) if place in (self.parser._no_thousands_columns or ())]

    @contextlib.contextmanager
    def caught(self):
        """Keeps what pandas says about lines that it leaves out. Older versions print it."""
        printed = io.StringIO()
        with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stderr(printed):
            warnings.simplefilter('always')
            yield
        said = [printed.getvalue(), *(str(warning.message) for warning in caught)]
        self.skipped.extend(re.findall(r'Skipping line \d+: [^\n]*', '\n'.join(said), re.IGNORECASE))


def open_unread(path, args):
    """The parser that read_csv makes for this call, before it has read a row."""
    original = readers.TextFileReader
    readers.TextFileReader = Unread
    try:
        return pd.read_csv(path, **args)
    finally:
        readers.TextFileReader = original
