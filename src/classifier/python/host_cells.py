"""Turns a classified DataFrame into the cells that to_csv of the original job wrote.

It runs pandas' own to_csv and catches the cells before they are quoted.
"""

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

    def __init__(self, cells):
        self.rows = cells.rows

    def writerow(self, row):
        self.rows.append([c if type(c) is str else cell_text(c) for c in row])

    def writerows(self, rows):
        # Copy each row: pandas reuses these lists for the next hundred rows.
        self.rows.extend([[c if type(c) is str else cell_text(c) for c in row] for row in rows])


def cell_text(cell):
    if cell is None:
        return ''
    # For a subclass of str, such as a str Enum, csv.writer takes the text itself, not the result of str().
    return str.__str__(cell) if isinstance(cell, str) else str(cell)


class CsvModule:
    """Replaces the csv module inside pandas' to_csv. It catches our own writes and passes on all others."""

    def __getattr__(self, name):
        return getattr(csv, name)

    def writer(self, handle, *args, **options):
        return CellWriter(handle) if isinstance(handle, Cells) else csv.writer(handle, *args, **options)


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
    cells = Cells()
    result.to_csv(cells, **to_csv)
    return cells.rows[0], cells.rows[1:]
