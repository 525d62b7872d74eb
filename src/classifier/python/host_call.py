"""Reads the calls that --read and --write quote from the original program, such as pd.read_csv(IN, sep=';').

Python's own parser reads the text, and nothing in it runs. Literals are values. A name (a function, a dtype) is looked up
in the module of the classifier, on the publisher and in every worker. So both see the same objects, and the job record
holds nothing but the text.
"""

import ast
import difflib
import importlib
import inspect
import json
import re

from host_names import NAME_IT, Names, dotted, is_known, key_of, last_name, name_of
from host_target import HostError

FORMS = {
    'read': {
        'option': '--read',
        'json': '--read-csv',
        'names': ('read_csv', 'read_table'),
        'path': ('IN', 'filepath_or_buffer'),
        'example': "pd.read_csv(IN, sep=';')",
    },
    'write': {
        'option': '--write',
        'json': '--to-csv',
        'names': ('to_csv',),
        'path': ('OUT', 'path_or_buf'),
        'example': 'df.to_csv(OUT, index=False)',
    },
}

# Calls that spell a path. Others may open a file, and say how it is read.
PATHS = ('Path', 'PurePath', 'join', 'str', 'fspath', 'abspath', 'expanduser')


def parse_call(text, kind):
    """Returns the Call that `text` writes down. `kind` is 'read' or 'write'. Raises HostError USAGE."""
    form = FORMS[kind]
    if re.fullmatch(r'[\w.]*:\w+', text.strip()):
        module, _, name = text.strip().rpartition(':')
        return NamedCall(text, kind, module, name)
    try:
        body = ast.parse(text.strip(), mode='exec').body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        at = getattr(error, 'offset', None)
        place = f' at character {at}' if at else ''
        raise usage(text, kind, f'this is not Python: {getattr(error, "msg", error)}{place}') from error
    node = body[0] if len(body) == 1 else None
    while isinstance(node, (ast.Assign, ast.AnnAssign, ast.Expr, ast.NamedExpr)):
        node = node.value
    if not isinstance(node, ast.Call) or dotted(node.func) is None or last_name(node.func) not in form['names']:
        what = f'write one call of {" or ".join(form["names"])}, and nothing around it'
        raise usage(text, kind, f'{what}. What else the program does to the frame belongs in the classifier')
    return Call(text, kind, node)


def from_json(arguments, kind):
    """The call that a dict of JSON stands for, as --read-csv and --to-csv give it."""
    return PlainCall(json.dumps(arguments), kind, arguments)


class PlainCall:
    """A call whose arguments are values already."""

    def __init__(self, text, kind, arguments):
        self.text, self.kind, self.arguments = text, kind, arguments
        self.path = None
        self.names = []

    def resolve(self, module, missing='USAGE'):
        return checked(self, dict(self.arguments))


class NamedCall:
    """`module:NAME`, a dict of arguments in a module. `:NAME` is in the module of the classifier."""

    def __init__(self, text, kind, module, name):
        self.text, self.kind, self.module, self.name = text, kind, module, name
        self.path = None
        self.names = [text.strip()]

    def resolve(self, module, missing='USAGE'):
        if self.module:
            try:
                module = importlib.import_module(self.module)
            except ModuleNotFoundError as error:
                raise usage(self.text, self.kind, f'there is no module {self.module}', missing) from error
        found = getattr(module, self.name, None)
        if not isinstance(found, dict):
            where = name_of(module)
            raise usage(self.text, self.kind, f'{where} has no dict of arguments named {self.name}', missing)
        return checked(self, dict(found))


class Call:
    """A call as it stands in the original program."""

    def __init__(self, text, kind, node):
        self.text, self.kind = text, kind
        self.function = last_name(node.func)
        self.arguments = {}
        # `**OPTIONS` of the call: nodes of dicts, in order.
        self.spread = []
        path, keyword_path = FORMS[kind]['path']
        given = list(node.args)
        for keyword in node.keywords:
            if keyword.arg == keyword_path and not given:
                given = [keyword.value]
            elif keyword.arg is None:
                self.spread.append(keyword.value)
            elif keyword.arg in self.arguments:
                raise self.refused(keyword.value, f'{keyword.arg} is given twice')
            else:
                self.arguments[keyword.arg] = keyword.value
        if not given:
            raise self.refused(node, f'the first argument is missing. Write {path} there: rowmill puts the file in')
        if len(given) > 1:
            raise self.refused(given[1], 'only the file comes without a name. Write NAME=VALUE for every other argument')
        if any(isinstance(part, (ast.Call, ast.Starred)) and not is_path(part) for part in ast.walk(given[0])):
            why = f'this is no path. Write {path} there, and give an encoding or a compression as an argument'
            raise self.refused(given[0], why)
        # The literal path of the program, or None. rowmill reads IN and writes OUT, whatever it says.
        self.path = given[0].value if isinstance(given[0], ast.Constant) else None
        self.names = []
        for value in [*self.arguments.values(), *self.spread]:
            self.check(value)

    def check(self, node):
        """Refuses what is no literal, name or known call, and collects the names that the module must have."""
        if isinstance(node, (ast.Name, ast.Attribute)):
            name = dotted(node)
            if name is None:
                raise self.refused(node, f'an attribute of an expression is not looked up. {NAME_IT}')
            if not is_known(name) and name not in self.names:
                self.names.append(name)
        elif isinstance(node, ast.Lambda):
            raise self.refused(node, f'a lambda has no name that workers can look up. {NAME_IT}')
        elif isinstance(node, ast.Dict):
            for child in [*node.keys, *node.values]:
                if child is not None:  # None stands for `**` within the dict
                    self.check(child)
        elif isinstance(node, ast.Call):
            if any(keyword.arg is None for keyword in node.keywords):
                raise self.refused(node, f'** is not looked up within another call. {NAME_IT}')
            for child in [node.func, *node.args, *(keyword.value for keyword in node.keywords)]:
                self.check(child)
        elif isinstance(node, (ast.Tuple, ast.List, ast.Set, ast.Slice)):
            for child in ast.iter_child_nodes(node):
                if not isinstance(child, ast.expr_context):
                    self.check(child)
        elif isinstance(node, ast.Subscript):
            self.check(node.value)
            self.check(key_of(node))
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
            self.check(node.operand)
        elif not isinstance(node, ast.Constant):
            raise self.refused(node, f'an expression is not evaluated. {NAME_IT}')

    def resolve(self, module, missing='USAGE'):
        """Returns the arguments as values. `missing` is the code of the error if `module` lacks a name."""
        values = {'sep': '\t'} if self.function == 'read_table' and 'delimiter' not in self.arguments else {}
        find, spread = Names(self, module, missing), {}
        for node in self.spread:
            more = find.value(node)
            if not isinstance(more, dict):
                raise self.refused(node, 'it is no dict of arguments')
            twice = next((name for name in more if name in [*self.arguments, *spread]), None)
            if twice is not None:
                raise self.refused(node, f'{twice} is given twice')
            spread.update(more)
        values.update(spread)
        values.update((name, find.value(node)) for name, node in self.arguments.items())
        return checked(self, values)

    def refused(self, node, why, code='USAGE'):
        part = ast.get_source_segment(self.text.strip(), node)
        place = f'character {node.col_offset + 1}'
        if node.lineno > 1:
            place = f'line {node.lineno}, {place}'
        return usage(self.text, self.kind, f'{short(part)} at {place}: {why}', code)


def is_path(node):
    """Whether a call in the place of the file only spells its path."""
    return isinstance(node, ast.Call) and dotted(node.func) is not None and last_name(node.func) in PATHS


def checked(call, values):
    """Refuses arguments that this pandas does not know."""
    import pandas

    function = pandas.DataFrame.to_csv if call.kind == 'write' else pandas.read_csv
    known = [name for name in inspect.signature(function).parameters if name not in ('self', *FORMS[call.kind]['path'])]
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, 3, 0.6)
            advice = f'. There is {", ".join(near)}' if near else ''
            what = f'{function.__name__} of pandas {pandas.__version__} has no argument {name!r}{advice}'
            raise usage(call.text, call.kind, what)
    return values


def to_json(values):
    """Returns (the arguments that are plain JSON, the names of the others)."""
    plain = {name: value for name, value in values.items() if is_plain(value)}
    return json.loads(json.dumps(plain)), [name for name in values if name not in plain]


def is_plain(value):
    if isinstance(value, dict):
        return all(type(key) is str and is_plain(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(is_plain, value))
    return value is None or type(value) in (str, int, bool) or (type(value) is float and value - value == 0)


def short(text, most=60):
    line = ' '.join(text.split())
    return line if len(line) <= most else f'{line[: most - 3]}...'


def usage(text, kind, what, code='USAGE'):
    form, shown = FORMS[kind], short(text, 120)
    if shown.startswith('{'):
        return HostError(code, f'{form["json"]} {shown}: {what}.')
    return HostError(code, f'{form["option"]} {json.dumps(shown, ensure_ascii=False)}: {what}. Example: {form["example"]}')
