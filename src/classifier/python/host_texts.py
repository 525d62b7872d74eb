"""Texts of cells as pandas' parsers take them, so that they read each cell as it was in the file."""

import functools
import io

import pandas as pd
from pandas.io.parsers import TextParser


class Replaced:
    """What the python engine does to the texts of numbers before it reads them: thousands and decimal."""

    def __init__(self, recipe, args):
        thousands, decimal = args.get('thousands'), args.get('decimal', '.')
        self.needed = thousands is not None or decimal != '.'
        count = len(recipe['rules'])
        options = {'names': range(count), 'header': None, 'thousands': thousands, 'decimal': decimal}
        self.engine = TextParser([['x'] * count], **options)._engine
        self.engine._no_thousands_columns = {at for at, rule in enumerate(recipe['rules']) if rule.get('plain')}

    def columns(self, columns):
        if not self.needed or not columns[0]:
            return columns
        rows = [list(row) for row in zip(*columns)]
        return list(zip(*self.engine._check_decimal(self.engine._check_thousands(rows))))


def quoted(columns):
    """The bytes of a CSV file of these columns, with every cell in quotes."""
    text = in_quotes(columns)
    if '\0' in text and not keeps_nul():
        raise ValueError('a cell holds the character NUL, at which this pandas ends it')
    if text.count('"') != 2 * len(columns) * len(columns[0]):
        text = in_quotes([[cell.replace('"', '""') for cell in cells] for cells in columns])
    return text.encode()


@functools.lru_cache(maxsize=None)
def keeps_nul():
    """Whether the C engine of this pandas takes NUL for a character. Older versions end the cell there."""
    return pd.read_csv(io.BytesIO(b'a\n"x\0y"\n'), engine='c')['a'].tolist() == ['x\0y']


def in_quotes(columns):
    return '"' + '"\n"'.join(map('","'.join, zip(*columns))) + '"\n'


def protected(rows):
    """Rows for TextParser, which removes a byte order mark from its first cell."""
    rows = [list(row) for row in rows]
    if isinstance(rows[0][0], str) and rows[0][0].startswith('\ufeff'):
        rows[0][0] = '\ufeff' + rows[0][0]
    return rows
