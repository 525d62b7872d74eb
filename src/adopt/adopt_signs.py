"""Signs that the work looks at other rows than its own, or drops rows. They are no proof: rowmill check finds out."""

import ast

from adopt_carried import carried
from adopt_known import PROPERTIES, TOLD
from adopt_lasting import look_at_function
from adopt_names import FUNCTIONS, arguments, changes, key, loads
from adopt_numbers import NumberOfRows, index_of, is_of_columns
from adopt_talk import is_talk
from adopt_told import Told, first_argument

FRAME_FUNCTIONS = ('assign', 'pipe', 'agg', 'aggregate', 'transform', 'apply')
ON_ROWS = ('apply', 'map', 'applymap', 'transform', 'progress_apply', 'progress_map', 'parallel_apply')


class Signs:
    """Walks through the work, and with the frame into the functions that get it."""

    def __init__(self, program, notes, index_is_written, modules=None):
        self.state = None  # the attribute that has the frame
        self.program, self.notes, self.index_is_written = program, notes, index_is_written
        self.modules = modules  # the modules that the program imports
        self.others = {}  # module -> its signs
        self.functions = {function.name: function for function in program.functions}
        named = [node for node in ast.walk(program.tree) if isinstance(node, ast.Assign)]
        self.functions.update((key(a.targets[0]), a.value) for a in named if isinstance(a.value, ast.Lambda))
        self.numbers = NumberOfRows(program, notes, self.of_frame)
        self.told = Told(program, self.of_frame, index_is_written, self.functions)
        self.seen = set()
        self.outer = set()  # the variables that have the frame where functions can read them

    @property
    def drops_rows(self):
        """Whether the work drops or multiplies rows, by what each row says itself."""
        return self.numbers.drops or any(signs.numbers.drops for signs in self.others.values())

    def of(self, module):
        """The signs of a module that the program imports. All share the same modules."""
        if module not in self.others:
            self.others[module] = Signs(module, self.notes.of(module), self.index_is_written, self.modules)
            self.others[module].others = self.others
        return self.others[module]

    def inspect(self, statements, held, without=()):
        """`held` are the variables that have the frame or a column of it."""
        held = self.with_lambdas(statements, with_rows(statements, held))
        for statement in statements:
            shown = {
                part
                for talk in ast.walk(statement)
                if isinstance(talk, ast.Expr) and is_talk(self.program, talk)
                for part in ast.walk(talk)
            }
            for node in ast.walk(statement):
                if node not in without and node not in shown:
                    self.inspect_node(node, held)
            self.numbers.inspect(statement, held, shown)

    def with_lambdas(self, statements, held):
        """Adds the parameters of lambdas that get the frame or a column: `df.assign(x=lambda d: d.a)`."""
        found = set(held)
        for node in (part for statement in statements for part in ast.walk(statement)):
            given = []
            if isinstance(node, ast.Call) and self.gives_frame(node, held):
                given = node.args + [keyword.value for keyword in node.keywords]
            elif isinstance(node, ast.Subscript) and self.of_frame(node.value, held):
                given = [node.slice]
            for function in given:
                if isinstance(function, ast.Lambda):
                    found |= {arg.arg for arg in arguments(function)[:1]}
        return found

    def gives_frame(self, call, held):
        """Whether a function among the arguments of a method gets a frame or a column, and not a row or a value."""
        method = call.func
        if not isinstance(method, ast.Attribute) or method.attr not in FRAME_FUNCTIONS:
            return False
        if method.attr in ('assign', 'pipe'):
            return True
        return self.of_frame(method.value, held) and not is_of_columns(call) and not is_column(method.value)

    def inspect_node(self, node, held):
        if isinstance(node, ast.Call):
            self.call(node, held)
        elif isinstance(node, ast.Attribute):
            self.attribute(node, held)
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            self.item(node, held)
        elif isinstance(node, (ast.For, ast.AsyncFor)) and self.of_frame(node.iter, held):
            for name in carried(node, held):
                self.notes.sign(node, f'{name} is carried from row to row. It begins anew in each batch.')
        elif isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            self.comprehension(node, held)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult) and self.of_frame(node, held):
            self.notes.sign(node, '@ computes over the whole column. A batch has only some of the rows.')
        elif isinstance(node, ast.Try) and any(self.of_frame(part, held) for part in node.body):
            if not all(isinstance(handler.body[-1], ast.Raise) for handler in node.handlers):
                self.notes.sign(
                    node,
                    'If one row raises, the except branch is for all rows of the batch, and not for those of the file.',
                )

    def call(self, node, held):
        text = self.told.call(node, held)
        if text:
            self.notes.sign(node, text)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ''
        self.into(node, name, held, bool(name) and self.of_frame(node.func.value, held))

    def attribute(self, node, held):
        if not self.of_frame(node.value, held):
            return
        what = PROPERTIES.get(node.attr) or TOLD.get(node.attr)
        is_called = getattr(node.parent, 'func', None) is node
        is_about_columns = is_all_rows(node.parent) or node.attr == 'shape' and is_second(node.parent)
        if what and not (is_called or is_about_columns or is_guard(node)):
            self.notes.sign(node, f'{node.attr} {what}. A batch has only some of the rows.')

    def item(self, node, held):
        """`df['a'][0]`, `df[:5]`, `df.loc[0]`, `df.at[i - 1, 'a']`: rows by their place."""
        base, index = node.value, index_of(node)
        if not self.of_frame(base, held) or isinstance(base, ast.Attribute) and base.attr in ('str', 'shape', 'iloc', 'iat'):
            return
        index = index.elts[0] if isinstance(index, ast.Tuple) and index.elts else index
        is_place = isinstance(index, ast.Slice) and (index.lower or index.upper or index.step) is not None
        is_number = isinstance(index, ast.UnaryOp) or isinstance(getattr(index, 'value', None), int)
        is_other = isinstance(index, ast.BinOp) and isinstance(index.op, (ast.Add, ast.Sub))
        if is_place or (is_number and not self.of_frame(index, held) or is_other) and key(base) not in held:
            self.notes.sign(node, 'It picks rows by their place. A batch has only some of the rows.')

    def comprehension(self, node, held):
        if not any(self.of_frame(generator.iter, held) for generator in node.generators):
            return
        own = {n.id for g in node.generators for n in ast.walk(g.target) if isinstance(n, ast.Name)}
        for name in sorted(changes(node) - own - held):
            self.notes.sign(node, f'{name} is carried from row to row. It begins anew in each batch.')
        if isinstance(node, (ast.SetComp, ast.DictComp)):
            self.notes.sign(node, 'It collects the values of all rows. A batch has only some of the rows.')

    def into(self, node, name, held, on_frame):
        """Follows the frame into functions of the program. One for apply(axis=1) or map gets a row or a value."""
        self.outer |= held
        if name in ON_ROWS and on_frame:
            for arg in node.args[:1]:
                signs, function = self.find(arg)
                gets_frame = function is not None and self.gives_frame(node, held)
                self.function(arg, signs, function, first_argument(function) if gets_frame else set())
        elif name == 'pipe' and on_frame and node.args:
            signs, function = self.find(node.args[0])
            self.function(node.args[0], signs, function, first_argument(function) if function else set())
        else:
            signs, function = self.find(node.func, not on_frame)
            if function is None:
                return
            names = [arg.arg for arg in arguments(function)][isinstance(function.parent, ast.ClassDef) :]
            given = {names[i] for i, arg in enumerate(node.args[: len(names)]) if self.of_frame(arg, held)}
            given |= {keyword.arg for keyword in node.keywords if keyword.arg and self.of_frame(keyword.value, held)}
            if signs is self or given:
                self.function(node.func, signs, function, given)

    def find(self, node, may_be_method=False):
        """The function or method that a call may mean, of the program or of a module beside it, and its signs."""
        own = self.own_function(node)
        if own is not None or self.modules is None:
            return self, own
        found = self.modules.function(self.program, node)
        if found is None and may_be_method and isinstance(node, ast.Attribute):
            found = self.modules.method(node.attr)
        return (self.of(found[0]), found[1]) if found else (self, None)

    def own_function(self, node):
        """The function or method of the program that a call may mean, or None."""
        function = self.functions.get(node.attr if isinstance(node, ast.Attribute) else key(node))
        is_method = function is not None and isinstance(function.parent, ast.ClassDef)
        return function if is_method == isinstance(node, ast.Attribute) else None

    def function(self, node, signs, function, given):
        if function is None:
            return
        given = given | ({f'self.{self.state}'} if self.state and isinstance(node, ast.Attribute) else set())
        if signs is self:
            given = given | (loads(function) & self.outer)
        else:
            look_at_function(signs.notes, function, given)
        signs.walk(function, given)

    def walk(self, function, given):
        if (function, frozenset(given)) in self.seen:
            return
        self.seen.add((function, frozenset(given)))
        body = function.body if isinstance(function, FUNCTIONS) else [function.body]
        self.inspect(body, frame_names(body, given))
        for part in ast.walk(function):
            if isinstance(part, (ast.Global, ast.Nonlocal)):
                self.notes.look(
                    part,
                    f'{", ".join(part.names)} is changed here and lives on after the call. Each worker has its own.',
                )

    @staticmethod
    def of_frame(node, held):
        """Whether an expression is the frame, a column, or made of one, and not of one row."""
        return any(part in held or key(part) in held for part in walk_outside_lambdas(node))


def walk_outside_lambdas(node):
    """The parts of an expression that may hold values of rows: not its lambdas, and not the names of columns."""
    if isinstance(node, ast.Attribute) and node.attr in ('columns', 'dtypes', 'dtype'):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.Lambda):
            yield from walk_outside_lambdas(child)


def with_rows(statements, held):
    """`held` without the variables that have only names of columns: `names = list(df.columns)`."""
    values = {}
    for node in (part for statement in statements for part in ast.walk(statement)):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                values.setdefault(key(target), []).append(node.value)
    without = set()
    before = None
    while before != len(without):
        before = len(without)
        for name in held & set(values) - without:
            rows = held - without
            if all(is_of_names(value, without) and not Signs.of_frame(value, rows) for value in values[name]):
                without.add(name)
    return held - without


def is_of_names(node, without):
    return any(
        isinstance(part, ast.Attribute) and part.attr in ('columns', 'dtypes') or key(part) in without
        for part in ast.walk(node)
    )


def is_column(node):
    """Whether a method belongs to one column, and not to a frame: `df['a'].str.lower()`, and not `df[['a', 'b']]`."""
    while isinstance(node, (ast.Call, ast.Attribute)) and not isinstance(getattr(node, 'value', None), ast.Name):
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Subscript):
        return not isinstance(index_of(node), (ast.List, ast.Tuple, ast.Name, ast.ListComp))
    return isinstance(node, ast.Attribute)


def is_all_rows(node):
    """`.iloc[:, 0]`: a column by its number."""
    index = index_of(node) if isinstance(node, ast.Subscript) else None
    first = index.elts[0] if isinstance(index, ast.Tuple) and index.elts else None
    return isinstance(first, ast.Slice) and (first.lower or first.upper or first.step) is None


def is_guard(node):
    """`if df.empty: return df`: a batch of a file with rows is not empty."""
    return node.attr == 'empty' and isinstance(node.parent, ast.If) and not isinstance(node.value, ast.Subscript)


def is_second(node):
    """`df.shape[1]`: the number of columns."""
    return isinstance(node, ast.Subscript) and getattr(index_of(node), 'value', None) == 1


def frame_names(statements, given):
    """The variables of a function body that come from the frames it was given."""
    held = set(given)
    before = None
    while before != len(held):
        before = len(held)
        for statement in statements:
            for node in ast.walk(statement):
                if isinstance(node, ast.Assign) and Signs.of_frame(node.value, held):
                    held |= {key(target) for target in node.targets if key(target)} | (changes(node) & held)
    return held
