"""Which file a path names, as far as the text of the program tells."""

import ast
import os

from adopt_ends import argument_of, default_of
from adopt_names import FUNCTIONS, arguments, binds, changes, key, root

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
        methods = {
            ast.JoinedStr: self.of_text,
            ast.BinOp: self.of_join,
            ast.Call: self.of_call,
            ast.Attribute: self.of_attribute,
            ast.Name: self.of_name,
            ast.NamedExpr: self.of_walrus,
            ast.Subscript: self.of_item,
        }
        if type(node) in methods:
            return methods[type(node)](node)
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
            if (
                origin.startswith(('glob.', 'os.listdir', 'os.scandir'))
                or isinstance(part, ast.Attribute)
                and part.attr in ('glob', 'iterdir')
            ):
                return Unknown(f'{text} is a list of files')
            if (
                origin.startswith('datetime.')
                or isinstance(part, ast.Attribute)
                and part.attr in ('today', 'now', 'strftime')
            ):
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
        found = self.of_class(node)
        if found is not None:
            return self.value(found)
        parsers = [
            call
            for call in self.program.calls
            if isinstance(call.func, ast.Attribute) and call.func.attr.startswith('parse_')
        ]
        if parsers and isinstance(node.value, ast.Name):
            raise Unknown(f'{self.program.one_line(node)} comes from the command line')
        raise self.unknown(node)

    def expression(self, node):
        """The expression that a variable, an attribute or an item of a dict stands for, or the node itself."""
        found = None
        try:
            if isinstance(node, ast.Name):
                found = self.bound_anywhere(node)
            elif isinstance(node, ast.Attribute):
                found = self.of_class(node)
            elif isinstance(node, ast.Subscript):
                found = self.of_dict(node)
        except Unknown:
            pass
        return node if found is None or found is node else self.expression(found)

    def of_class(self, node):
        """The one value of `self.path`, `Config.path` or `config.path`, if the class is in the program."""
        base = self.expression(node.value)
        made = base if isinstance(base, ast.Call) else None
        name = key(base.func) if made else key(base)
        if name == 'self':
            owner = self.program.scope(node)
            name = getattr(owner.parent, 'name', None) if isinstance(owner, FUNCTIONS) else None
        classes = [part for part in ast.walk(self.program.tree) if isinstance(part, ast.ClassDef) and part.name == name]
        if len(classes) != 1 or made and any(keyword.arg == node.attr for keyword in made.keywords):
            return None
        top = [a for statement in classes[0].body if not isinstance(statement, FUNCTIONS) for a in assigns(statement)]
        own = [a for a in assigns(classes[0]) if any(key(target) == f'self.{node.attr}' for target in a[0])]
        everywhere = [
            a
            for a in assigns(self.program.tree)
            if any(isinstance(t, ast.Attribute) and t.attr == node.attr for t in a[0])
        ]
        if len(everywhere) > len(own):
            return None
        return self.only(own or [a for a in top if any(key(target) == node.attr for target in a[0])])

    def of_dict(self, node):
        """The value of `CONFIG['path']`, if nothing changes the dict."""
        base = self.expression(node.value)
        index = node.slice
        index = getattr(index, 'value', index) if type(index).__name__ == 'Index' else index
        if (
            not isinstance(base, ast.Dict)
            or not isinstance(index, ast.Constant)
            or root(node) in changes(self.program.tree)
        ):
            return None
        found = [
            value
            for name, value in zip(base.keys, base.values)
            if isinstance(name, ast.Constant) and name.value == index.value
        ]
        return found[0] if len(found) == 1 else None

    def of_item(self, node):
        found = self.of_dict(node)
        if found is None:
            raise self.unknown(node)
        return self.value(found)

    @staticmethod
    def only(found):
        return found[0][1] if len(found) == 1 else None

    def of_walrus(self, node):
        return self.value(node.value)

    def of_name(self, node):
        found = self.bound_anywhere(node)
        if found is None:
            raise self.unknown(node)
        return self.value(found)

    def bound_anywhere(self, node):
        """The one expression that a name stands for, in its scope or in one around it, or None. Raises Unknown."""
        scope = self.program.scope(node)
        while True:
            found = self.bound(node, scope)
            if found is not None or isinstance(scope, ast.Module):
                return found
            scope = self.program.scope(scope)

    def bound(self, node, scope):
        """The one expression that a name stands for in a scope. Raises Unknown if there are several."""
        own = [
            part
            for part in ast.walk(scope)
            if isinstance(part, ast.stmt) and part is not scope and self.program.scope(part) is scope
        ]
        simple = [part for part in own if not hasattr(part, 'body')]
        values = [a[1] for part in simple for a in assigns(part) if any(key(target) == node.id for target in a[0])]
        values += [
            w.value
            for w in ast.walk(scope)
            if isinstance(w, ast.NamedExpr) and w.target.id == node.id and self.program.scope(w) is scope
        ]
        for part in own:
            if isinstance(part, (ast.With, ast.AsyncWith)):
                values += [item.context_expr for item in part.items if key(item.optional_vars) == node.id]
            elif isinstance(part, (ast.For, ast.AsyncFor)) and node.id in binds(part.target):
                raise Unknown(f'{node.id} is each of {self.program.one_line(part.iter)}')
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
                if (
                    isinstance(target, ast.Tuple)
                    and isinstance(part.value, ast.Tuple)
                    and len(target.elts) == len(part.value.elts)
                ):
                    found += [([one], value) for one, value in zip(target.elts, part.value.elts)]
                else:
                    found.append(([target], part.value))
        elif isinstance(part, ast.AnnAssign) and part.value is not None:
            found.append(([part.target], part.value))
    return found
