"""Turns a classified DataFrame into the cells that to_csv of the original job wrote.

It runs pandas' own to_csv and catches the cells before they are quoted.
"""

import codecs
import csv
import io

import pandas as pd
from host_target import HostError
from pandas.io.formats import csvs


class Cells(io.StringIO):
    """The file that to_csv writes to. It keeps the rows of cells as they are before quoting."""

    def __init__(self):
        super().__init__()
        self.rows = []


class CellWriter:
    """Replaces csv.writer. A cell becomes the text that csv.writer would write, and None becomes empty text."""

    def __init__(self, cells, quoting):
        self.rows = cells.rows
        self.cells = marked_cells if quoting == csv.QUOTE_NONNUMERIC else plain_cells

    def writerow(self, row):
        self.rows.append(self.cells(row))

    def writerows(self, rows):
        # Copy each row: pandas reuses these lists for the next hundred rows.
        self.rows.extend(map(self.cells, rows))


def plain_cells(row):
    return [c if type(c) is str else cell_text(c) for c in row]


def cell_text(cell):
    if cell is None:
        return ''
    # For a subclass of str, such as a str Enum, csv.writer takes the text itself, not the result of str().
    return str.__str__(cell) if isinstance(cell, str) else str(cell)


def marked_cells(row):
    """The cells with a NUL before each number, which csv.writer does not quote: see number-marks.ts."""
    return [marked(cell) for cell in row]


def marked(cell):
    text = cell_text(cell)
    return f'\0{text}' if is_number(cell) or text.startswith('\0') else text


# By type, whether csv.writer takes a cell for a number.
NUMBERS = {}


def is_number(cell):
    """Asks csv.writer. It looks at the type alone."""
    kind = type(cell)
    if kind not in NUMBERS:
        line = io.StringIO()
        # No text of a number holds one of these characters, so only its type can bring quotes.
        rare = {'delimiter': '\x1d', 'quotechar': '\x1e', 'lineterminator': '\x1f'}
        csv.writer(line, quoting=csv.QUOTE_NONNUMERIC, **rare).writerow([cell, 0])
        NUMBERS[kind] = not line.getvalue().startswith('\x1e')
    return NUMBERS[kind]


class CsvModule:
    """Replaces the csv module inside pandas' to_csv. It catches our own writes and passes on all others."""

    def __getattr__(self, name):
        return getattr(csv, name)

    def writer(self, handle, *args, **options):
        if isinstance(handle, Cells):
            return CellWriter(handle, options.get('quoting'))
        return csv.writer(handle, *args, **options)


def catch_cells():
    """Installs CsvModule in pandas and proves that it works with this version."""
    csvs.csvlib = CsvModule()
    frame = pd.DataFrame({'a': ['x,"y', None], 'b': [0.5, float('nan')]}, index=pd.Index([1, 2], name='i'))
    cells = Cells()
    frame.to_csv(cells)
    if cells.rows != [['i', 'a', 'b'], ['1', 'x,"y', '0.5'], ['2', '', '']] or cells.getvalue():
        raise HostError(
            'PYTHON_UNUSABLE',
            f'the cells of to_csv cannot be caught in pandas {pd.__version__}. Use pandas 1.5 to 3.1 (--python PATH).',
        )


def write_cells(result, to_csv):
    """Returns (columns, rows of cells) of `result`. The index comes first if to_csv writes it."""
    names = to_csv.get('header')
    if isinstance(names, list) and len(names) != len(result.columns):
        raise HostError(
            'USAGE',
            f'--to-csv header: it lists {len(names)} names, the output has {len(result.columns)} columns: '
            f'{", ".join(map(str, result.columns))}.',
        )
    label = to_csv.get('index_label')
    if isinstance(label, list) and to_csv.get('index', True) and len(label) != result.index.nlevels:
        raise HostError(
            'USAGE', f'--to-csv index_label: it lists {len(label)} names, the index has {result.index.nlevels} levels.'
        )
    cells = Cells()
    # One chunk: pandas formats the dates of a chunk as a whole.
    result.to_csv(cells, **{**to_csv, 'chunksize': max(1, len(result))})
    return cells.rows[0], cells.rows[1:]


def check_one_level(result):
    """The sink leaves one label out of the header. to_csv leaves out that of each level."""
    levels = result.index.nlevels
    if levels > 1:
        raise HostError(
            'USAGE',
            f'--to-csv index_label=false: the index has {levels} levels, and rowmill leaves out the label of one. '
            'Name the levels (index_label=["a", "b"]), here and in the original job.',
        )


def check_encoding(columns, rows, encoding):
    """Checks that a file in this encoding can hold the cells. `encoding` is (name, errors, whether it has a header)."""
    name, errors, header = encoding
    written = [columns, *rows] if header else rows
    try:
        ''.join(map(''.join, written)).encode(name, errors)
        return
    except UnicodeError:
        pass
    for row in written:
        for column, cell in zip(columns, row):
            try:
                cell.encode(name, errors)
            except UnicodeError as error:
                bad = cell[getattr(error, 'start', 0)] if cell else ''
                raise HostError(
                    'CLASSIFIER_CONTRACT',
                    f'column {column!r} holds {cell[:80]!r}: {name} has no character for {bad!r} (U+{ord(bad):04X}). '
                    'Choose another encoding in --to-csv, or say there what stands for it, such as "errors": "replace".',
                    {'column': column},
                ) from error


def check_codec(encoding):
    name, errors, _ = encoding
    try:
        ''.encode(name)
        codecs.lookup_error(errors)
    except LookupError as error:
        raise HostError('USAGE', f'--to-csv encoding={name}, errors={errors}: {error} in this Python.') from error
