"""Learns from the DataFrame of the whole file how the DataFrame of a batch is made (host_recipe.py)."""

import datetime
import io
import warnings

import numpy as np
import pandas as pd
from host_labels import PANDAS, key_from, version
from host_target import HostError
from pandas.api import types
from pandas.core.tools import datetimes
from reader_nullable import NullableNumbers
from reader_original import is_nullable_number

# A column of objects may change its type as often as low_memory cuts a file. Beyond that its types follow no rule.
MOST_RUNS = 2000
RUN_KINDS = {str: 'text', bool: 'bool', int: 'int', float: 'float64'}


class Learner:
    """Makes the recipe of a file. `frame` is what the call of the original job made of it, `cut` its cells."""

    def __init__(self, frame, cut, args):
        self.frame, self.cut, self.args = frame, cut, args
        names = cut.names
        self.at_index = cut.index_cells
        data = [at for at in range(len(cut.places)) if at not in self.at_index]
        # With index_col=False pandas leaves out cells beyond the header.
        self.at_columns = data[: len(frame.columns)]
        if len(data) < len(frame.columns):
            raise HostError(
                'READ_DIFFERS',
                f'column {frame.columns[len(data)]!r} has no cells: the header has no name for the index, so usecols counts other '
                'cells. Name the index in the header, or leave usecols out, in the original job too.',
            )
        self.keys = [keys_of(names, at, place, cut) for at, place in enumerate(cut.places)]
        # Cells about which only texts of the file can tell the rest: the format of dates, and whether NA words are texts.
        self.dates, self.texts = set(), set()
        self.nullable = NullableNumbers()

    def recipe(self):
        rules = [None] * len(self.cut.places)
        for level, at in enumerate(self.at_index):
            rules[at] = self.rule(at, self.frame.index.get_level_values(level), 'the index')
        for position, at in enumerate(self.at_columns):
            rules[at] = self.rule(at, self.frame.iloc[:, position], f'column {self.frame.columns[position]!r}')
        plain = self.cut.plain()
        self.texts = {at for at in [*self.at_index, *self.at_columns] if is_text(rules[at])}
        for at, rule in enumerate(rules):
            if rule is None:
                rules[at] = {'kind': 'text', 'dtype': 'object', 'keys': self.keys[at]}
            if at in plain:
                rules[at]['plain'] = True
        return self.made(rules)

    def made(self, rules):
        return {
            'pandas': version(),
            'engine': self.cut.engine,
            'rules': rules,
            'index': self.index(),
            'columns': self.columns(),
        }

    def index(self):
        index = self.frame.index
        made = {'cells': self.at_index, 'names': [as_json(name, 'the index') for name in index.names]}
        if isinstance(index, pd.MultiIndex):
            made['multi'] = True
            made['zeros'] = [zero_of(level) for level in index.levels]
        if self.at_index and isinstance(index, pd.RangeIndex):
            made['range'] = True
        return made

    def columns(self):
        columns = self.frame.columns
        kind = 'multi' if columns.nlevels > 1 else 'range' if isinstance(columns, pd.RangeIndex) else 'plain'
        labels = [as_json(label, 'a column') for label in columns]
        names = [as_json(name, 'the columns') for name in columns.names]
        dtype = None if kind == 'multi' else str(columns.dtype)
        return {'cells': self.at_columns, 'labels': labels, 'names': names, 'type': kind, 'dtype': dtype}

    def rule(self, at, values, where):
        keys = self.keys[at]
        # The python engine calls no converter for the index.
        unconverted = self.cut.engine == 'python' and at in self.at_index
        converter = None if unconverted else first_key(self.args.get('converters'), keys)
        if converter is not None:
            rule = {'kind': 'convert', 'key': converter, 'dtype': self.dtype(values, where), 'keys': keys}
            return {**rule, 'missing': True} if looks_for_missing(self.cut.engine) else rule
        dtype = values.dtype
        if dtype == object:
            return self.object_rule(at, values, where)
        if dtype.kind == 'M':
            return self.date_rule(at, zoned(dtype))
        if str(dtype) == 'null[pyarrow]':
            return {'kind': 'null', 'dtype': 'null[pyarrow]', 'keys': keys}
        if isinstance(dtype, pd.CategoricalDtype) and dtype.categories.dtype == object and {*map(type, dtype.categories)} == {int}:
            # Integers beyond 64 bits are objects, which pandas' parser does not find among the categories.
            return {'kind': 'typed', 'dtype': self.dtype(values, where), 'runs': [[0, 'int']], 'keys': keys, 'found': True}
        text = PANDAS >= (3, 0) and dtype == pd.StringDtype(na_value=np.nan)
        rule = {'kind': 'text' if text else 'parse', 'dtype': self.dtype(values, where), 'keys': keys}
        if text or self.gives_dtype(keys):
            return rule
        # pandas makes floats of an index of booleans of which some are missing.
        booleans = at in self.at_index and dtype.kind == 'f' and values.dropna().isin([0, 1]).all()
        return {**rule, 'found': True, **({'booleans': True} if booleans else {})}

    def gives_dtype(self, keys):
        """Whether the call says all of the dtype of a column, so that pandas inferred nothing."""
        given = self.args.get('dtype')
        if isinstance(given, dict):
            key = first_key(given, keys)
            given = None if key is None else given[key_from(key)]
        if isinstance(given, str):  # any dtype of categories equals this text
            return given != 'category'
        return given is not None and getattr(given, 'categories', ()) is not None

    def date_rule(self, at, dtype):
        given = self.args.get('date_format')
        if isinstance(given, dict):
            key = first_key(given, self.keys[at])
            given = None if key is None else given[key_from(key)]
        if given is None:
            self.dates.add(at)
        return {'kind': 'date', 'dtype': dtype, 'format': given, 'keys': self.keys[at]}

    def object_rule(self, at, values, where):
        objects = np.asarray(values, dtype=object).tolist()
        found = set(map(type, objects)) - {type(None)}
        if found <= {str, float} and all(value != value for value in objects if type(value) is float):
            return {'kind': 'text', 'dtype': 'object', 'keys': self.keys[at]}
        if found - {float} and all(issubclass(kind, datetime.datetime) for kind in found - {float, type(pd.NaT)}):
            rule = self.date_rule(at, 'object')
            return {**rule, 'python': pd.Timestamp not in found}
        return {'kind': 'typed', 'dtype': 'object', 'runs': runs_of(objects, where), 'keys': self.keys[at]}

    def dtype(self, values, where):
        dtype = values.dtype
        if isinstance(dtype, pd.CategoricalDtype):
            categories = [as_json(category, where) for category in dtype.categories]
            return {'categories': categories, 'dtype': str(dtype.categories.dtype), 'ordered': bool(dtype.ordered)}
        name = str(dtype)
        if isinstance(dtype, pd.ArrowDtype) and name == 'string[pyarrow]':  # the name of another dtype, too
            return {'arrow': 'string'}
        if name == 'string':
            name = f'string[{dtype.storage}]'
        if types.pandas_dtype(name) != dtype:
            raise differs(f'{where} has dtype {name}, and its name does not say all of it', where)
        return name

    def see(self, columns, part, recipe):
        """Learns from a piece of the cells what the frame does not tell. `part` is what the frame has for these rows."""
        for at in list(self.dates):
            texts = np.array([text for text in present(columns[at], recipe, at)][:2], dtype=object)
            if len(texts):
                self.dates.discard(at)
                recipe.rules[at]['format'] = guessed(texts, self.args)
        for at in list(self.texts):
            if not recipe.missing[at].isdisjoint(columns[at]):
                self.texts.discard(at)
                row = next(row for row, cell in enumerate(columns[at]) if cell in recipe.missing[at])
                # pandas keeps NA words as texts in a column with numbers beyond 64 bits.
                if isinstance(self.values(at, part)[row], str):
                    recipe.keep_words(at)

        for at, rule in enumerate(recipe.rules):
            if 'zero' not in rule and recipe.is_float(at):
                for row in recipe.zeros(at, columns[at], self.values(at, part))[:1]:
                    rule['zero'] = repr(float(self.values(at, part)[row]))
            if rule['kind'] == 'parse' and is_nullable_number(recipe.dtypes[at]):
                self.nullable.see(at, columns[at], self.values(at, part), recipe.missing[at], 'found' in rule)

    def known(self, recipe):
        """The objects of each column that has the text of every cell, so that nothing needs to make it again."""
        found = {}
        for position, at in enumerate(self.at_columns):
            objects = getattr(self.frame.iloc[:, position].array, '_ndarray', None)
            if recipe.rules[at]['kind'] == 'text' and objects is not None:
                texts = objects.tolist()
                if set(map(type, texts)) == {str} and recipe.missing[at].isdisjoint(texts):
                    found[at] = objects
        return found

    def values(self, at, part):
        if at in self.at_index:
            return part.index.get_level_values(self.at_index.index(at))
        return part.iloc[:, self.at_columns.index(at)].array


def zero_of(level):
    """The zero of a level of floats. A MultiIndex makes one value of 0.0 and -0.0: that which came first in the file."""
    zeros = level[np.asarray(level == 0, dtype=bool)] if getattr(level.dtype, 'kind', '') == 'f' else []
    return repr(float(zeros[0])) if len(zeros) else None


def present(cells, recipe, at):
    for cell in cells:
        if cell is not None and cell not in recipe.missing[at]:
            yield cell


def guessed(texts, args):
    # Before pandas 2 each value has a format of its own. infer_datetime_format only makes that faster.
    if PANDAS < (2, 0):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return datetimes._guess_datetime_format_for_array(texts, dayfirst=bool(args.get('dayfirst')))


def is_text(rule):
    return rule['kind'] == 'text' or str(rule['dtype']).startswith('string')


def keys_of(names, at, place, cut):
    """How the call may name a cell: by its name or by its number. The engines number cells in their own way."""
    number = at - cut.lead if cut.engine == 'python' else place
    return [as_json(names[at], 'a column') if at < len(names) else None, number]


def zoned(dtype):
    """The name of a dtype of dates. Older versions of pandas cannot read the name that they give a fixed offset."""
    try:
        if types.pandas_dtype(str(dtype)) == dtype:
            return str(dtype)
    except TypeError:
        pass
    return {'zone': pd.Timestamp('2000-01-01', tz=dtype.tz).isoformat()[19:], 'unit': dtype.unit}


def looks_for_missing(engine):
    """Whether this pandas looks for NA words in what converters return."""
    file = io.StringIO('a\nx\n')
    return bool(pd.read_csv(file, converters={'a': str}, na_values=['x'], engine=engine)['a'].isna()[0])


def first_key(given, keys):
    if not isinstance(given, dict):
        return None
    return next((key for key in keys if key is not None and key_from(key) in given), None)


def runs_of(values, where):
    """[number of the first row, type] wherever the type of the objects changes. A missing value has no type."""
    runs = []
    for row, value in enumerate(values):
        kind = type(value)
        if value is None or (kind is float and value != value):
            continue
        if kind not in RUN_KINDS:
            raise differs(f'{where} holds {kind.__name__} objects', where)
        name = RUN_KINDS[kind]
        if not runs or runs[-1][1] != name:
            runs.append([row if runs else 0, name])
        if len(runs) > MOST_RUNS:
            raise differs(f'{where} changes its type from row to row', where)
    return runs


def as_json(value, where):
    """A label as JSON: a text, a number, None, or a list of these for a tuple."""
    if isinstance(value, tuple):
        return [as_json(item, where) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or type(value) in (str, int, bool, float):
        return value
    raise differs(f'{where} has the label {value!r}, and only texts and numbers travel with a job', where)


def differs(what, where):
    return HostError('READ_DIFFERS', f'{what}. Give it a dtype in the call, and in the original job.', {'column': where})
