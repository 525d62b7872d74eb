"""Looks up the names in the calls of --read and --write, first in the module of the classifier.

Whoever may write to the topic of jobs chooses the text of a call. Its names must not reach functions that do harm, such as
os.system as a converter. Functions of the user and of packages that the user installed are all allowed.
"""

import ast
import collections
import csv
import datetime
import decimal
import difflib
import functools
import importlib
import inspect
import json
import sys
import types
import uuid

# Modules that a call may name although the module of the classifier does not import them.
MODULES = {'np': 'numpy', 'pd': 'pandas'}
MODULES.update(
    (name, name) for name in ('numpy', 'pandas', 'csv', 'math', 'json', 'ast', 'decimal', 'datetime', 'functools')
)
NAME_IT = 'Give it a name in the module of the classifier, and write that name here'
# list(range(...)) may not fill the memory of a worker.
MOST_ITEMS = 10_000_000
BUILTINS = {'str': str, 'int': int, 'float': float, 'bool': bool, 'object': object, 'complex': complex}
BUILDERS = {kind.__name__: kind for kind in (dict, list, tuple, set, frozenset, range, slice)}

# Before Python 3.10 there is no list of its own modules. These are the ones with functions that do harm.
OLD_LIBRARY = (
    *sys.builtin_module_names,
    *('os', 'io', 'subprocess', 'shutil', 'pickle', 'runpy', 'importlib', 'ctypes', 'code', 'pty', 'webbrowser', 'urllib'),
)
LIBRARY = {'numpy', 'pandas', *getattr(sys, 'stdlib_module_names', OLD_LIBRARY)}


class Names:
    """Looks up the names of a call and builds its values."""

    def __init__(self, call, module, missing):
        self.call, self.module, self.missing = call, module, missing

    def value(self, node):
        try:
            return self.made(node)
        except (TypeError, ValueError) as error:  # such as a list in a set
            raise self.call.refused(node, f'{type(error).__name__}: {error}') from error

    def made(self, node):
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.UnaryOp):
            operand = self.value(node.operand)
            return -operand if isinstance(node.op, ast.USub) else +operand
        if isinstance(node, ast.Tuple):
            return tuple(map(self.value, node.elts))
        if isinstance(node, ast.List):
            return list(map(self.value, node.elts))
        if isinstance(node, ast.Set):
            return set(map(self.value, node.elts))
        if isinstance(node, ast.Dict):
            made = {}
            for key, item in zip(node.keys, node.values):
                made.update(self.value(item) if key is None else {self.value(key): self.value(item)})
            return made
        if isinstance(node, ast.Slice):
            return slice(*(part and self.value(part) for part in (node.lower, node.upper, node.step)))
        if isinstance(node, ast.Subscript):
            try:
                return self.value(node.value)[self.value(key_of(node))]
            except (KeyError, IndexError, TypeError) as error:
                raise self.call.refused(node, f'it has no such item ({type(error).__name__}: {error})') from error
        if isinstance(node, ast.Call):
            return self.build(node)
        return self.harmless(node, self.look_up(node))

    def look_up(self, node):
        root, *parts = dotted(node).split('.')
        if hasattr(self.module, root):
            value = getattr(self.module, root)
        elif root in MODULES:
            value = importlib.import_module(MODULES[root])
        elif is_known(root):
            value = {**BUILTINS, **BUILDERS}[root]
        else:
            raise self.unknown(node, root, self.module)
        for part in parts:
            if part.startswith('__') or not hasattr(value, part):
                raise self.unknown(node, part, value)
            value = getattr(value, part)
        return value

    def unknown(self, node, name, owner):
        known = [key for key in dir(owner) if not key.startswith('_')] if owner else []
        near = difflib.get_close_matches(name, known, 3, 0.6)
        advice = f'. There is {", ".join(near)}' if near else ''
        return self.call.refused(node, f'{name_of(owner)} has no {name}{advice}', self.missing)

    def harmless(self, node, value):
        """Whoever may write to the topic of jobs chooses the text. It may name no function that does any harm it likes."""
        if callable(value) and is_library(value) and not is_allowed(value):
            why = 'only some functions of Python, numpy and pandas are looked up'
            cure = 'Write a function in the module of the classifier that calls this one, and name that'
            raise self.call.refused(node, f'{why}. {cure}')
        return value

    def build(self, node):
        made = self.look_up(node.func) if dotted(node.func) else None
        if not is_builder(made):
            raise self.call.refused(node, f'a call is not made, except one that makes a dtype or a list. {NAME_IT}')
        places = [self.value(item) for item in node.args]
        names = {keyword.arg: self.value(keyword.value) for keyword in node.keywords}
        if made in (list, tuple, set, frozenset) and any(isinstance(item, range) and len(item) > MOST_ITEMS for item in places):
            raise self.call.refused(node, f'it has more than {MOST_ITEMS} items')
        try:
            return made(*places, **names)
        except Exception as error:
            raise self.call.refused(node, f'{type(error).__name__}: {error}') from error


def is_known(name):
    """Whether a name means the same in every module, unless the module of the classifier has it too."""
    return name.split('.')[0] in {**MODULES, **BUILTINS, **BUILDERS}


def key_of(node):
    key = node.slice
    return key.value if type(key).__name__ == 'Index' else key  # Python 3.8


def dotted(node):
    """The text of a name with its attributes, such as np.int64, or None."""
    if isinstance(node, ast.Name):
        return node.id
    inner = dotted(node.value) if isinstance(node, ast.Attribute) else None
    return inner and f'{inner}.{node.attr}'


def last_name(node):
    return dotted(node).split('.')[-1]


def name_of(owner):
    if owner is None:
        return 'no classifier is named, and Python'
    return f'the module {owner.__name__}' if isinstance(owner, types.ModuleType) else getattr(owner, '__name__', repr(owner))


def is_library(value):
    """Whether a callable comes from Python, numpy or pandas, and not from the user or a package of the user."""
    home = getattr(value, '__module__', None) or type(value).__module__
    return str(home).split('.')[0] in LIBRARY


def is_allowed(value):
    """Whether a call may name this callable of the library."""
    import numpy
    import pandas

    if isinstance(value, types.BuiltinMethodType):
        return not isinstance(value.__self__, (types.ModuleType, type(None)))  # such as CODES.get
    if isinstance(value, types.MethodDescriptorType):
        return value.__objclass__ in BUILTINS.values()  # such as str.strip
    if isinstance(value, (functools.partial, types.MethodType)):
        inner = value.func if isinstance(value, functools.partial) else value.__func__
        return not is_library(inner) or is_allowed(inner)
    if inspect.isclass(value):
        kinds = (*BUILTINS.values(), pandas.Timestamp, pandas.Timedelta, decimal.Decimal, uuid.UUID)
        dates = (datetime.date, datetime.time, datetime.timedelta)
        harmless = (numpy.generic, pandas.api.extensions.ExtensionDtype, csv.Dialect, *dates)
        return value in kinds or issubclass(value, harmless)
    return value in (json.loads, ast.literal_eval, pandas.to_numeric, pandas.to_datetime, pandas.to_timedelta)


def is_builder(value):
    """Whether a call within a call may be made, such as pd.CategoricalDtype(['a', 'b'])."""
    import numpy
    import pandas

    if not inspect.isclass(value):
        return False
    kinds = (*BUILDERS.values(), numpy.dtype, functools.partial, collections.OrderedDict, collections.defaultdict)
    return value in kinds or issubclass(value, pandas.api.extensions.ExtensionDtype)
