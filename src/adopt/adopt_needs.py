"""What the cut-out work needs: imports, constants, functions and prepared objects, as statements of the program."""

import ast
import builtins

from adopt_ends import argument_of, contains, default_of
from adopt_options import PARSERS, is_call_of
from adopt_names import FUNCTIONS, arguments, binds, changes, key, loads, root
from adopt_work import is_main_guard

COMMAND_LINE = ('sys.argv', 'input')


class Needs:
    """Collects the statements that names stand for. `layers` has them by scope, the module first."""

    def __init__(self, program, notes):
        self.program, self.notes = program, notes
        self.module = flat(program.tree.body)
        self.usable = None  # (statements of the module before the work, what of_module made of them)
        self.globals = {  # function -> the names that it sets with `global`
            function: {name for node in ast.walk(function) if isinstance(node, ast.Global) for name in node.names}
            for function in program.functions
        }
        self.prepared = {program.tree: None}  # scope -> statements that count; None: every one of the module
        self.calls = {}  # function -> the call that stands for it in the scope outside
        self.layers = {program.tree: {}}
        self.bindings = {}  # (scope, name) -> text of an assignment that a parameter becomes
        self.parsers = {}  # statement with parse_args() -> name
        self.given_parsers = {}  # (function, parameter that gets parse_args()) -> the call
        self.seen = set()
        self.unknown = set()
        self.attributes = set()  # the attributes that the work uses
        self.setters = set()  # functions that set a variable of the module that is needed
        self.forbidden = set()

    def scope(self, scope, statements, call):
        """Makes statements before the work known, and the call that a function is reached by."""
        known = self.prepared.get(scope)
        self.prepared[scope] = sorted(set(statements) | set(known or ()), key=lambda statement: statement.lineno)
        self.calls.setdefault(scope, call)
        self.layers.setdefault(scope, {})

    def need(self, names, scope, line=None):
        for name in sorted(names):
            if (name, scope) not in self.seen:
                self.seen.add((name, scope))
                self.resolve(name, scope)

    def resolve(self, name, scope):
        if isinstance(scope, ast.Module):
            found = self.binding(name, self.of_module())
            late = self.set_globally(name)
            if found or late:
                self.keep(found, scope)
            elif not hasattr(builtins, name) and name not in ('__file__', '__name__'):
                self.unknown.add(name)
            return
        found = self.binding(name, self.prepared.get(scope) or [])
        if found:
            self.keep(found, scope)
        elif name in [arg.arg for arg in arguments(scope)]:
            self.bind_parameter(name, scope)
        else:
            self.need({name}, self.program.scope(scope))

    def set_globally(self, name):
        """Keeps what sets a variable of the module with `global`, in functions of the job or in others."""
        is_set = False
        for function, names in self.globals.items():
            if name not in names:
                continue
            if function in self.prepared:
                found = self.binding(name, self.prepared[function])
                self.keep(found, function)
                is_set = is_set or bool(found)
            else:
                self.setters.add(function.name)
        return is_set

    def of_module(self):
        """The statements of the module that may be needed: those before the work, and every import and definition."""
        known = self.prepared[self.program.tree]
        if known is None:
            return self.module
        if self.usable is None or self.usable[0] is not known:
            definitions = (ast.Import, ast.ImportFrom, ast.ClassDef) + FUNCTIONS
            others = {statement for statement in self.module if isinstance(statement, definitions)}.difference(known)
            self.usable = known, sorted([*known, *others], key=lambda statement: statement.lineno)
        return self.usable[1]

    @staticmethod
    def binding(name, statements):
        """The statements that bind a name or change its object, if one binds it."""
        found = [statement for statement in statements if name in binds(statement)]
        if not found:
            return []
        definition = all(
            isinstance(statement, FUNCTIONS + (ast.ClassDef, ast.Import, ast.ImportFrom)) for statement in found
        )
        return found + ([] if definition else [s for s in changing(name, statements) if s not in found])

    def keep(self, statements, scope):
        for statement in statements:
            if statement in self.layers[scope]:
                continue
            self.layers[scope][statement] = None
            if any(contains(statement, call) and self.may_run(statement, call) for call in self.forbidden):
                self.notes.look(
                    statement,
                    'The work needs this, but it also reads or writes the file. Take the work out of it by hand.',
                )
            if (
                isinstance(statement, ast.Assign)
                and isinstance(statement.targets[0], ast.Name)
                and self.parses(statement.value)
            ):
                self.parsers[statement] = statement.targets[0].id
                continue
            self.tell_command_line(statement)
            self.need(loads(statement), scope)

    def parses(self, value):
        """Whether a value is what an argparse parser gives, or a function of the program that returns it."""
        if not isinstance(value, ast.Call):
            return False
        own = [function for function in self.program.functions if function.name == key(value.func)]
        return is_call_of(value, PARSERS) or any(
            is_call_of(node, PARSERS) for function in own for node in ast.walk(function)
        )

    def may_run(self, statement, call):
        """Whether a kept statement may run the read or the write. Another method of a kept class does not."""
        return not isinstance(statement, ast.ClassDef) or getattr(self.program.scope(call), 'name', None) == '__init__'

    def tell_command_line(self, statement):
        for node in ast.walk(statement):
            called = node.func if isinstance(node, ast.Call) else node
            if self.program.origin(called) in COMMAND_LINE and not is_scope(statement):
                self.notes.look(
                    statement, 'The work needs a value of the command line. Write the value into the module.'
                )
                return

    def bind_parameter(self, name, scope):
        """A parameter becomes a constant of the module: what the only call gives, or its default."""
        self.keep(changing(name, self.prepared.get(scope) or []), scope)
        call = self.calls.get(scope)
        if name == 'self' and isinstance(scope.parent, ast.ClassDef) and call is not None:
            self.bindings[scope, name] = f'self = {self.program.one_line(call.func.value)}'
            self.need(loads(call.func.value), self.program.scope(call))
            return
        value = argument_of(call, scope, name) if call is not None else None
        if value is not None and self.parses(value):
            self.given_parsers[scope, name] = call
            return
        if value is None:
            default = default_of(scope, name)
            if default is None:
                text = f'The work uses {name}, which {scope.name} gets from outside. Write its value into the module.'
                self.notes.look(scope, text)
                return
            self.notes.look(
                scope,
                f'The work uses {name}. The module has its default, {self.program.one_line(default)}: is it right?',
            )
            value = default
        if not (isinstance(value, ast.Name) and value.id == name):
            self.bindings[scope, name] = f'{name} = {self.program.one_line(value)}'
        self.need(
            loads(value), self.program.tree if call is None or contains(scope.args, value) else self.program.scope(call)
        )


def flat(statements):
    """The statements of the module, with those under `if __name__ == '__main__'` in their place."""
    return [part for statement in statements for part in (statement.body if is_main_guard(statement) else [statement])]


def changing(name, statements):
    """The statements that change the object of a variable, or call a method of it and do nothing with the result."""
    found = []
    for statement in statements:
        calls = [
            node.value
            for node in ast.walk(statement)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
        ]
        called = any(isinstance(call.func, ast.Attribute) and root(call.func) == name for call in calls)
        if not is_scope(statement) and (name in changes(statement) or called):
            found.append(statement)
    return found


def is_scope(statement):
    return isinstance(statement, FUNCTIONS + (ast.ClassDef,))
