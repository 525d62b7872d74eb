"""What a call says about other rows: a sentence, or None if it looks at one row alone."""

import ast
import re

from adopt_known import ALONE, BUILTINS_TOLD, MOVES, NUMPY_ALONE, PANDAS_ALONE, STATISTICS, TOLD
from adopt_names import arguments, key, root
from adopt_numbers import is_of_columns

RANDOM = ('random.', 'numpy.random.', 'uuid.', 'secrets.')
GENERATORS = ('.seed', '.Random', '.default_rng', '.RandomState', '.uuid3', '.uuid5', '.UUID')
TIMES = ('now', 'today', 'utcnow', 'time', 'time_ns', 'localtime', 'gmtime', 'ctime')
LIBRARIES = ('pandas.', 'pd.', 'numpy.', 'scipy.', 'sklearn.', 'statistics.', 'itertools.', 'functools.', 'collections.')
ACCESSORS = ('str', 'dt')
SOME = 'A batch has only some of the rows.'


class Told:
    """Judges calls. `of_frame` says whether an expression is made of the frame."""

    def __init__(self, program, of_frame, index_is_written, functions):
        self.program, self.of_frame, self.index_is_written = program, of_frame, index_is_written
        self.functions = functions
        self.generators = random_generators(program)
        attributes = [node for node in ast.walk(program.tree) if isinstance(node, ast.Attribute) and node.attr == 'index']
        self.reads_index = any(getattr(node.parent, 'func', None) is not node for node in attributes)

    def call(self, node, held):
        origin = self.program.origin(node.func) or ''
        words = {keyword.arg: keyword.value for keyword in node.keywords}
        counts = origin == 'next' and bool(node.args) and root(node.args[0]) in self.generators
        if is_chance(origin) or is_now(node, origin) or counts or root(node.func) in self.generators:
            return f'{self.shown(node)} gives other values in each batch and in each worker, even with a seed.'
        given = any(self.of_frame(arg, held) for arg in node.args + list(words.values()))
        if isinstance(node.func, ast.Attribute) and self.of_frame(node.func.value, held):
            return self.method(node, node.func.attr, words, given)
        return self.function(node, origin, words) if given else None

    def method(self, node, name, words, given):
        """A method of the frame, of a column, or of what is made of them."""
        func = node.func
        if isinstance(func.value, ast.Attribute) and func.value.attr in ACCESSORS:
            if name == 'cat' and not given:
                return self.sentence(name, 'puts the texts of all rows together')
            if name in ('split', 'rsplit') and 'expand' in words:
                return f'{name} with expand=True makes as many columns as one text of the batch needs.'
            return self.told(name, ('get_dummies',))
        if name in STATISTICS:
            return None if is_of_rows(node, words) else self.told(name)
        if name == 'astype':
            by_column = any('category' in ast.dump(arg) for arg in node.args)
            text = 'astype("category") takes its categories from the whole column. Give pd.CategoricalDtype([...]).'
            return text if by_column else None
        if name == 'reset_index':
            text = 'reset_index numbers the rows of each batch from 0, and the index is written or read.'
            return text if self.index_is_written or self.reads_index else None
        if name == 'fillna' and 'method' in words:
            return self.told('ffill')
        if name in ('dropna', 'sort_index', 'set_axis', 'reindex') and is_of_columns(node):
            return self.sentence(name, 'chooses columns by the values of all rows') if name == 'dropna' else None
        if name == 'reindex':
            return self.sentence(name, 'picks rows by their labels')
        if name in ('isin', 'map', 'replace') and given:
            return self.sentence(name, 'looks up the values of other rows')
        if name in ('eval', 'query'):
            return self.in_text(node, name)
        if name == 'get' and any(isinstance(arg, ast.BinOp) for arg in node.args[:1]):
            return self.sentence(name, 'picks another row')
        if name in ALONE and name not in TOLD:
            return self.column_function(node, name)
        if name in MOVES or name in self.functions:
            return self.told(name)
        return self.told(name) or f'adopt does not know whether {name} looks at other rows.'

    def function(self, node, origin, words):
        """A function that gets the frame, or something made of it."""
        name = origin.rsplit('.', 1)[-1] if origin else getattr(node.func, 'attr', '')
        is_name = isinstance(node.func, ast.Name)
        if name == 'to_datetime' and 'format' not in words:
            return 'to_datetime without format= guesses the format from the values of the column. Give format=.'
        if is_name and origin in ('len', 'range', 'enumerate'):
            return f'{name} counts the rows: a batch has fewer than the file.'
        if is_name and origin in BUILTINS_TOLD:
            return self.sentence(name, BUILTINS_TOLD[origin])
        if name == 'cut' and origin.startswith('pandas.') and not is_list(node, words):
            return 'cut with a number of bins makes its edges from all values. Give the edges as a list.'
        if name in ('Series', 'DataFrame') and origin.startswith('pandas.') and 'index' not in words:
            numbers = self.index_is_written or name == 'Series'
            text = f'{name} numbers its rows from 0, and a batch begins at another number. Give index=.'
            return text if numbers and len(node.args) < 2 and not is_dict(node) else None
        if name == 'join' and isinstance(getattr(node.func, 'value', None), ast.Constant):
            return self.sentence(name, 'puts the texts of all rows together')
        if name.startswith('fit'):
            return self.told('fit')
        if not origin.startswith(LIBRARIES):
            return None
        if name in STATISTICS and is_of_rows(node, words):
            return None
        if name in TOLD:
            return self.told(name)
        is_alone = name in (PANDAS_ALONE if origin.startswith(('pandas.', 'pd.')) else NUMPY_ALONE)
        in_group = origin.split('.')[1] in ('char', 'strings') or origin in ('itertools.chain', 'functools.partial')
        return None if is_alone or in_group else f'adopt does not know whether {origin} looks at other rows.'

    def column_function(self, node, name):
        """`df.apply(f)` without axis=1 gives whole columns to a function of a library."""
        function = node.args[0] if node.args and name in ('apply', 'transform') else None
        origin = self.program.origin(function) or '' if function is not None else ''
        return self.told(origin.rsplit('.', 1)[-1]) if '.' in origin and not is_of_columns(node) else None

    def in_text(self, node, name):
        """`df.query('price > price.mean()')`."""
        texts = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)]
        for method in (method for text in texts for method in re.findall(r'\.(\w+)\(', text)):
            if self.told(method):
                return self.told(method)
        return None

    def told(self, name, among=TOLD):
        return self.sentence(name, TOLD[name]) if name in TOLD and name in among else None

    @staticmethod
    def sentence(name, what):
        return f'{name} {what}. {SOME}'

    def shown(self, node):
        return self.program.origin(node.func) or self.program.one_line(node.func)


def random_generators(program):
    """The variables that have a generator of random numbers which does not depend on a row."""
    found = set()
    for node in ast.walk(program.tree):
        value = node.value if isinstance(node, ast.Assign) else None
        if not isinstance(value, ast.Call):
            continue
        origin = program.origin(value.func) or ''
        is_fixed = all(isinstance(arg, ast.Constant) for arg in value.args)
        if is_fixed and (origin.startswith(RANDOM) and origin.endswith(GENERATORS) or origin == 'itertools.count'):
            found |= {key(target) for target in node.targets}
    return found - {None}


def is_chance(origin):
    """Whether a call gives random values or the time."""
    is_time = origin.split('.')[0] in ('datetime', 'pandas', 'time') and origin.rsplit('.', 1)[-1] in TIMES
    return is_time or origin.startswith(RANDOM) and not origin.endswith(GENERATORS)


def is_now(node, origin):
    """`pd.Timestamp('now')`, `time.strftime('%Y')`."""
    if origin == 'time.strftime':
        return len(node.args) == 1
    is_moment = origin in ('pandas.Timestamp', 'pandas.to_datetime') and node.args
    return bool(is_moment) and getattr(node.args[0], 'value', None) in ('now', 'today')


def is_of_rows(node, words):
    """Whether a statistic is one of each row: `axis=1`, `df.sum(1)`."""
    axis = words.get('axis') or (node.args[-1] if node.args else None)
    return isinstance(axis, ast.Constant) and axis.value in (1, 'columns')


def is_dict(call):
    """`pd.DataFrame({'a': df['a']})` keeps the index of the columns."""
    return bool(call.args) and isinstance(call.args[0], ast.Dict)


def is_list(call, words):
    bins = words.get('bins') or (call.args[1] if len(call.args) > 1 else None)
    return bins is not None and not (isinstance(bins, ast.Constant) and isinstance(bins.value, int))


def first_argument(function):
    return {arg.arg for arg in arguments(function)[:1]}
