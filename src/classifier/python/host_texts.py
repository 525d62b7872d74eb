"""Texts of cells as pandas' parsers take them, so that they read each cell as it was in the file."""

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
    if '\0' in text:
        raise ValueError('a cell holds the character NUL')
    if text.count('"') != 2 * len(columns) * len(columns[0]):
        text = in_quotes([[cell.replace('"', '""') for cell in cells] for cells in columns])
    return text.encode()


def in_quotes(columns):
    return '"' + '"\n"'.join(map('","'.join, zip(*columns))) + '"\n'


def protected(rows):
    """Rows for TextParser, which removes a byte order mark from its first cell."""
    rows = [list(row) for row in rows]
    if isinstance(rows[0][0], str) and rows[0][0].startswith('\ufeff'):
        rows[0][0] = '\ufeff' + rows[0][0]
    return rows
