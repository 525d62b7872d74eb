"""Makes the DataFrame of a batch so that it equals the slice of the DataFrame of the whole file.

A recipe is plain JSON. The publisher learns it from the whole file (reader_learn.py) and proves it with this code; workers
use this code. It says for each cell of a row, by position, how its text becomes a value: with a dtype that is forced, so
that nothing is inferred from the rows that happen to be in a batch. Functions, NA words and the like stay in the
arguments of the call, which both sides have.

    {"pandas": "3.1", "engine": "c", "rules": [rule of each cell], "index": {...}, "columns": {...}}

A rule has a `kind`:

    text     the text itself, or NaN for an NA word (with `words` these are texts too)
    parse    pandas' parser with `dtype`. `zero` is the value of -0 in a column of floats. `found`: pandas inferred the dtype,
             `booleans`: perhaps of booleans in an index
    date     to_datetime with `format`, as pandas guessed it from the first value of the file; null: value by value
    convert  the converter that the call has under `key`
    null     missing values, in a column of pyarrow that has no others
    typed    objects of several types: `runs` says which type begins at which row
"""

import bisect
import io
import re
import warnings

import numpy as np
import pandas as pd
from host_fit import FALSE_WORDS, INTEGER, TRUE_WORDS, check, fault
from host_frame import check_width, numbers, place
from host_labels import PANDAS, by_position, check_pandas, dtype_of, is_missing, key_from, label_of, labels_of, na_values
from host_target import HostError
from host_texts import Replaced, protected, quoted
from pandas.io.parsers import TextParser

# The arguments that act on values. All others are spent when the cells are cut.
VALUE_ARGUMENTS = (
    *('dtype', 'converters', 'true_values', 'false_values', 'na_values', 'keep_default_na', 'na_filter', 'thousands'),
    *('decimal', 'parse_dates', 'date_format', 'dayfirst', 'cache_dates', 'float_precision', 'dtype_backend'),
    *('date_parser', 'infer_datetime_format', 'keep_date_col', 'low_memory'),
)
# Since pandas 3 a DataFrame of a file keeps each column apart; before, columns of one dtype share a block of memory. pandas adds
# the numbers of a row block by block, so this decides how a sum is rounded. The proof compares it.
TOGETHER = PANDAS < (3, 0)
NEGATIVE_ZERO = re.compile(r'\s*-0+\s*')


class Recipe:
    """Makes DataFrames from the rows of one job. `args` are the values of the call's arguments.

    `events`: the rows are not those of the file that the recipe was learned from, so their values may not fit.
    """

    def __init__(self, recipe, args, events=False):
        self.events = events
        check_pandas(recipe['pandas'])
        self.rules, self.engine = recipe['rules'], recipe['engine']
        self.args = {name: args[name] for name in VALUE_ARGUMENTS if name in args}
        self.dtypes = [dtype_of(rule['dtype']) for rule in self.rules]
        for rule, dtype in zip(self.rules, self.dtypes):
            check_width(dtype, f'dtype {rule["dtype"]}')
        self.missing = [na_values(self.args, rule['keys'], self.engine) for rule in self.rules]
        self.index_rule = recipe['index']
        self.at_index = self.index_rule['cells']
        self.at_columns = recipe['columns']['cells']
        self.columns = labels_of(recipe['columns'])
        self.used = [*self.at_index, *self.at_columns]
        self.replaced = Replaced(recipe, self.args) if self.engine == 'python' else None

        for at, rule in enumerate(self.rules):
            if rule.get('words'):
                self.keep_words(at)

    def keep_words(self, at):
        """Lets the NA words of a column be texts."""
        self.rules[at].update(kind='text', words=True)
        self.missing[at] = frozenset()

    def is_parsed(self, at):
        kind = self.rules[at]['kind']
        return kind == 'parse' or (kind == 'text' and self.engine == 'python' and not self.rules[at].get('words'))

    def replaced_texts(self, columns):
        return self.replaced.columns(columns) if self.replaced else columns

    def frame(self, rows, seqs):
        """A new DataFrame of `rows`, lists of text. `seqs` are their numbers in the job, or None."""
        count, longest = len(self.rules), max(map(len, rows), default=0)
        if longest > count:
            at = next(index for index, row in enumerate(rows) if len(row) > count)
            what = f'{place(seqs, len(rows), at)} has {len(rows[at])} values, the header has {count} columns.'
            raise HostError('ROW_MALFORMED', what, {'index': at})
        if rows and min(map(len, rows)) < count:
            # The python engine tells a missing cell from an empty one.
            pad = [None if self.engine == 'python' else ''] * count
            rows = [[*row, *pad[len(row) :]] for row in rows]
        columns = list(zip(*rows)) or [()] * count
        try:
            frame = self.assemble(columns, len(rows), seqs)
        except HostError:
            raise
        except Exception as error:
            raise fault(self, columns, seqs, error) from error
        if self.events:
            check(self, columns, seqs)
        return frame

    def assemble(self, columns, count, seqs):
        """The DataFrame of cells by column. A missing cell is None, with the python engine only."""
        values = self.values(self.replaced_texts(columns), self.used, seqs)
        index = self.index(values, count, seqs)
        series = {at: column(values[at], index) for at in self.at_columns}
        frame = pd.DataFrame(series, index=index, copy=TOGETHER)
        frame.columns = self.columns
        return frame

    def values(self, columns, cells, seqs):
        """The values of some cells, by position."""
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # the publisher already showed what pandas warns of
            parsed = [at for at in cells if self.is_parsed(at)]
            values = dict(zip(parsed, self.parse(columns, parsed, self.dtypes)))
            for at in parsed:
                if 'zero' in self.rules[at]:
                    values[at] = self.signed(at, columns[at], values[at])
            for at in cells:
                if at not in values:
                    values[at] = self.convert(at, columns[at], seqs)
        return values

    def parse(self, columns, cells, dtypes):
        """The values of some cells, read by pandas' parser with forced dtypes."""
        if not cells or not columns[cells[0]]:
            return [pd.Series([], dtype=dtypes[at]) for at in cells]
        options = {name: self.args[name] for name in ('true_values', 'false_values', 'na_filter') if name in self.args}
        options.update(
            names=range(len(cells)),
            header=None,
            index_col=False,
            skip_blank_lines=False,
            dtype={position: dtypes[at] for position, at in enumerate(cells)},
        )
        if 'keep_default_na' in self.args:
            options['keep_default_na'] = self.args['keep_default_na']
        if self.args.get('na_values') is not None:
            options['na_values'] = by_position(self.args['na_values'], [self.rules[at]['keys'] for at in cells])
        chosen = [columns[at] for at in cells]
        if self.engine == 'python':
            frame = TextParser(protected(zip(*chosen)), **options).read()
        else:
            for name in ('thousands', 'decimal', 'float_precision'):
                if self.args.get(name) is not None:
                    options[name] = self.args[name]
            frame = pd.read_csv(io.BytesIO(quoted(chosen)), engine='c', low_memory=False, **options)
        if len(frame) != len(chosen[0]):
            raise HostError('ROW_MALFORMED', f'pandas made {len(frame)} rows of {len(chosen[0])}.')
        return [frame.iloc[:, position] for position in range(len(cells))]

    def is_float(self, at):
        return self.rules[at]['kind'] == 'parse' and getattr(self.dtypes[at], 'kind', '') == 'f'

    def zeros(self, at, cells, values):
        """The rows whose cell is -0. Its sign depends on whether pandas finds only whole numbers, and so on other rows."""
        zeros = np.flatnonzero(values.to_numpy(dtype='float64', na_value=np.nan) == 0).tolist()
        return [row for row in zeros if cells[row] and NEGATIVE_ZERO.fullmatch(cells[row]) and cells[row] not in self.missing[at]]

    def signed(self, at, cells, made):
        rows = self.zeros(at, cells, made)
        if not rows:
            return made
        values = made.array.copy()
        values[rows] = float(self.rules[at]['zero'])
        return pd.Series(values)

    def convert(self, at, cells, seqs):
        rule, dtype = self.rules[at], self.dtypes[at]
        if rule['kind'] == 'text':
            return text_values(cells, self.missing[at], dtype)
        if rule['kind'] == 'date':
            return self.dates(rule, dtype, present(cells, self.missing[at]))
        if rule['kind'] == 'convert':
            return self.converted(at, cells)
        if rule['kind'] == 'null':
            return nulls(cells, self.missing[at], dtype)
        return self.typed(at, cells, seqs)

    def dates(self, rule, dtype, texts):
        options = {'dayfirst': bool(self.args.get('dayfirst')), 'cache': self.args.get('cache_dates', True)}
        given = rule['format']
        if given is None and PANDAS >= (2, 0):
            given = 'mixed'
        found = pd.to_datetime(object_array(texts), format=given, **options)
        if dtype == object:
            return pd.Series(object_array([native(item, rule) for item in found]), dtype=object)
        if isinstance(dtype, pd.DatetimeTZDtype) and getattr(found, 'tz', None) is None:
            # Without a date there is no zone, and with several zones there are only objects.
            if not (found.isna().all() or found.dtype == object):
                raise ValueError(f'a date without a time zone, and the column has {dtype.tz}')
            found = pd.to_datetime(found, utc=True).tz_convert(dtype.tz)
        made = pd.Series(found).astype(dtype)
        if found.dtype not in (dtype, object) and ((made.astype(found.dtype) != found) & made.notna()).any():
            raise ValueError(f'a date is more exact than {dtype}')
        return made

    def converted(self, at, cells):
        rule, dtype = self.rules[at], self.dtypes[at]
        values = [*map(self.converter(at), cells)]
        if rule.get('missing'):
            values = [np.nan if is_missing(value, self.missing[at]) else value for value in values]
        return pd.Series(object_array(values), dtype=object).astype(dtype)

    def converter(self, at):
        return self.args['converters'][key_from(self.rules[at]['key'])]

    def typed(self, at, cells, seqs):
        """An object column in which pandas made several types: of booleans beside missing values, or piece by piece."""
        runs = self.rules[at]['runs']
        if len(runs) > 1 and seqs is None:
            raise HostError('USAGE', 'the types of a column depend on the number of the row, and these rows have none.')
        starts = [start for start, _ in runs]
        groups = {}
        for index in range(len(cells)):
            run = bisect.bisect_right(starts, seqs[index]) - 1 if len(runs) > 1 else 0
            groups.setdefault(runs[max(run, 0)][1], []).append(index)
        values = np.full(len(cells), np.nan, dtype=object)
        for kind, indices in groups.items():
            there = [i for i in indices if cells[i] is not None and cells[i] not in self.missing[at]]
            made = self.objects(at, kind, [cells[i] for i in there])
            for i, value in zip(there, made):
                values[i] = value
        return pd.Series(values, dtype=object).astype(self.dtypes[at])

    def objects(self, at, kind, cells):
        if kind == 'text' or not cells:
            return cells
        if kind == 'bool':
            words = dict.fromkeys([*TRUE_WORDS, *(self.args.get('true_values') or [])], True)
            words.update(dict.fromkeys([*FALSE_WORDS, *(self.args.get('false_values') or [])], False))
            return [words[cell] for cell in cells]
        if kind == 'int':
            return [whole_number(cell, self.args.get('thousands')) for cell in cells]
        return self.parse({at: cells}, [at], {at: np.dtype(kind)})[0].tolist()

    def index(self, values, count, seqs):
        if not self.at_index:
            # Before pandas 2 the index of a file without rows is no RangeIndex.
            return numbers(seqs) if seqs else pd.RangeIndex(count) if count else TextParser([['a']]).read().index
        names = [label_of(name) for name in self.index_rule['names']]
        levels = [pd.Index(values[at].array, dtype=values[at].dtype, name=name) for at, name in zip(self.at_index, names)]
        if self.index_rule.get('multi'):
            zeros = self.index_rule['zeros']
            levels = [level if zero is None else with_zero(level, float(zero)) for level, zero in zip(levels, zeros)]
            return pd.MultiIndex.from_arrays(levels, names=names)
        return numbers(levels[0].tolist(), names[0]) if self.index_rule.get('range') else levels[0]


def with_zero(level, zero):
    return level.where(level.to_numpy(dtype='float64', na_value=1) != 0, zero)


def present(cells, words):
    if words.isdisjoint(cells):
        return cells
    return [np.nan if cell in words else cell for cell in cells]


def text_values(cells, words, dtype):
    values = object_array(present(cells, words))
    return pd.Series(values, dtype=dtype, copy=False)


def nulls(cells, words, dtype):
    if not words.issuperset(cells):
        raise ValueError('the column has no values in the whole file')
    return pd.Series([None] * len(cells), dtype=dtype)


def object_array(values):
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made


def column(values, index):
    """A column on `index`, whatever index it was made with. Its dtype is not inferred again."""
    return pd.Series(values.array, index=index, dtype=values.dtype, copy=False)


def whole_number(text, thousands):
    digits = text.replace(thousands, '') if thousands else text
    if not INTEGER.fullmatch(digits):
        raise ValueError(f'{text!r} is no whole number')
    return int(digits)


def native(item, rule):
    return item.to_pydatetime() if rule.get('python') and isinstance(item, pd.Timestamp) else item
