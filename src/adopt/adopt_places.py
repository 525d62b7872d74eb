"""Which file a path names, as far as the text of the program tells."""

import ast
import os

from adopt_ends import argument_of, default_of
from adopt_names import FUNCTIONS, arguments, binds, key

OPENERS = ('open', 'io.open', 'codecs.open', 'gzip.open', 'bz2.open', 'lzma.open')
SAME = ('str', 'os.fspath', 'os.path.abspath', 'os.path.expanduser', 'os.path.normpath', 'os.path.realpath')
PATHS = ('pathlib.Path', 'pathlib.PurePath', 'pathlib.PosixPath', 'Path')
STANDARD = {'sys.stdin': '-', 'sys.stdin.buffer': '-', 'sys.stdout': '-', 'sys.stdout.buffer': '-'}


class Unknown(Exception):
    """The path is made when the program runs. The message says of what."""


class Places:
    """Finds paths. `calls` says by which call a function is reached."""

    def __init__(self, program, calls):
        self.program, self.calls = program, calls
        self.opened = None  # the call of open() on the way to the path
        self.depth = 0

    def path(self, node):
        """The path as text. Raises Unknown."""
        self.opened = None
        self.depth = 0
        found = self.value(node)
        if not isinstance(found, str):
            raise Unknown(f'{self.program.one_line(node)} is no path')
        return found

    def value(self, node):
        self.depth += 1
        if self.depth > 60:
            raise Unknown(f'{self.program.one_line(node)} depends on itself')
        if isinstance(node, ast.Constant) and isinstance(node.value, (str, int)):
            return node.value
        if isinstance(node, ast.Name) and node.id == '__file__':
            return self.program.path
        for kind, method in ((ast.JoinedStr, self.of_text), (ast.BinOp, self.of_join), (ast.Call, self.of_call), (ast.Attribute, self.of_attribute), (ast.Name, self.of_name), (ast.NamedExpr, self.of_walrus)):  # fmt: skip
            if isinstance(node, kind):
                return method(node)
        raise self.unknown(node)

    def unknown(self, node):
        """Says where a value comes from that the program gets when it runs."""
        text = self.program.one_line(node)
        for part in ast.walk(node):
            origin = self.program.origin(part) or ''
            if origin == 'sys.argv':
                return Unknown(f'{text} comes from the command line')
            if origin.startswith('os.environ') or origin == 'os.getenv':
                return Unknown(f'{text} comes from the environment')
            if origin in ('input', 'builtins.input'):
                return Unknown(f'{text} is typed in')
            if origin.startswith(('glob.', 'os.listdir', 'os.scandir')) or isinstance(part, ast.Attribute) and part.attr in ('glob', 'iterdir'):
                return Unknown(f'{text} is a list of files')
            if origin.startswith('datetime.') or isinstance(part, ast.Attribute) and part.attr in ('today', 'now', 'strftime'):
                return Unknown(f'{text} depends on the time')
        return Unknown(f'{text} is made when the program runs')

    def of_text(self, node):
        parts = []
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                if part.format_spec is not None or part.conversion not in (-1, ord('s')):
                    raise self.unknown(node)
                parts.append(str(self.value(part.value)))
            else:
                parts.append(part.value)
        return ''.join(parts)

    def of_join(self, node):
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(node.op, ast.Div):
            return os.path.join(left, right)
        if isinstance(node.op, ast.Add) and isinstance(left, str) and isinstance(right, str):
            return left + right
        raise self.unknown(node)

    def of_call(self, node):
        origin = self.program.origin(node.func) or ''
        if origin in OPENERS and node.args:
            self.opened = node
            return self.value(node.args[0])
        if origin in SAME and len(node.args) == 1:
            return self.value(node.args[0])
        if origin in PATHS and node.args:
            return os.path.join(*[self.value(arg) for arg in node.args])
        if origin == 'os.path.join' and node.args:
            return os.path.join(*[self.value(arg) for arg in node.args])
        if origin == 'os.path.dirname' and len(node.args) == 1:
            return os.path.dirname(self.value(node.args[0])) or '.'
        if isinstance(node.func, ast.Attribute):
            return self.of_method(node, node.func.attr)
        raise self.unknown(node)

    def of_method(self, node, name):
        base = node.func.value
        if name in ('resolve', 'absolute', 'as_posix', 'expanduser', '__str__') and not node.args:
            return self.value(base)
        if name == 'open':
            found = self.value(base)
            self.opened = node
            return found
        if name == 'joinpath':
            return os.path.join(self.value(base), *[self.value(arg) for arg in node.args])
        if name == 'with_suffix' and len(node.args) == 1:
            return os.path.splitext(self.value(base))[0] + self.value(node.args[0])
        if name == 'with_name' and len(node.args) == 1:
            return os.path.join(os.path.dirname(self.value(base)), self.value(node.args[0]))
        if name == 'replace' and len(node.args) == 2:
            return self.value(base).replace(self.value(node.args[0]), self.value(node.args[1]))
        if name == 'format' and not node.keywords:
            try:
                return self.value(base).format(*[self.value(arg) for arg in node.args])
            except (IndexError, KeyError, ValueError):
                pass
        raise self.unknown(node)

    def of_attribute(self, node):
        origin = self.program.origin(node)
        if origin in STANDARD:
            return STANDARD[origin]
        if node.attr == 'parent':
            return os.path.dirname(self.value(node.value)) or '.'
        if node.attr == 'stem':
            return os.path.splitext(os.path.basename(self.value(node.value)))[0]
        if node.attr == 'name':
            return os.path.basename(self.value(node.value))
        found = self.of_self(node) or self.of_class(node)
        if found is not None:
            return self.value(found)
        parsers = [call for call in self.program.calls if isinstance(call.func, ast.Attribute) and call.func.attr.startswith('parse_')]
        if parsers and isinstance(node.value, ast.Name):
            raise Unknown(f'{self.program.one_line(node)} comes from the command line')
        raise self.unknown(node)

    def of_self(self, node):
        """The one value that `self.path` is set to."""
        if not isinstance(node.value, ast.Name) or node.value.id != 'self':
            return None
        return self.only([a for a in assigns(self.program.tree) if any(key(target) == key(node) for target in a[0])])

    def of_class(self, node):
        """`Config.PATH`: a constant in the body of a class."""
        classes = [part for part in ast.walk(self.program.tree) if isinstance(part, ast.ClassDef) and part.name == key(node.value)]
        body = classes[0].body if len(classes) == 1 else []
        found = [a for statement in body for a in assigns(statement) if any(key(target) == node.attr for target in a[0])]
        return self.only(found)

    @staticmethod
    def only(found):
        return found[0][1] if len(found) == 1 else None

    def of_walrus(self, node):
        return self.value(node.value)

    def of_name(self, node):
        scope = self.program.scope(node)
        while True:
            found = self.bound(node, scope)
            if found is not None:
                return self.value(found)
            if isinstance(scope, ast.Module):
                raise self.unknown(node)
            scope = self.program.scope(scope)

    def bound(self, node, scope):
        """The one expression that a name stands for in a scope. Raises Unknown if there are several."""
        own = [part for part in ast.walk(scope) if isinstance(part, ast.stmt) and part is not scope and self.program.scope(part) is scope]
        simple = [part for part in own if not hasattr(part, 'body')]
        values = [a[1] for part in simple for a in assigns(part) if any(key(target) == node.id for target in a[0])]
        values += [w.value for w in ast.walk(scope) if isinstance(w, ast.NamedExpr) and w.target.id == node.id and self.program.scope(w) is scope]
        for part in own:
            if isinstance(part, (ast.With, ast.AsyncWith)):
                values += [item.context_expr for item in part.items if key(item.optional_vars) == node.id]
            elif isinstance(part, (ast.For, ast.AsyncFor)) and node.id in binds(part.target):
                raise self.unknown(part.iter) if not isinstance(part.iter, ast.Name) else Unknown(f'{node.id} is each of {part.iter.id}')
        if len(values) > 1:
            raise Unknown(f'{node.id} is set in several places')
        if values:
            return values[0]
        if isinstance(scope, FUNCTIONS) and node.id in [arg.arg for arg in arguments(scope)]:
            return self.of_parameter(node.id, scope)
        return None

    def of_parameter(self, name, scope):
        call = self.calls.get(scope)
        value = argument_of(call, scope, name) if call is not None else default_of(scope, name)
        if value is None or call is None:
            raise Unknown(f'{name} is a parameter of {scope.name}')
        return value


def assigns(node):
    """[(targets, value)] of the plain assignments in a node."""
    found = []
    for part in ast.walk(node):
        if isinstance(part, ast.Assign):
            for target in part.targets:
                if isinstance(target, ast.Tuple) and isinstance(part.value, ast.Tuple) and len(target.elts) == len(part.value.elts):
                    found += [([one], value) for one, value in zip(target.elts, part.value.elts)]
                else:
                    found.append(([target], part.value))
        elif isinstance(part, ast.AnnAssign) and part.value is not None:
            found.append(([part.target], part.value))
    return found
