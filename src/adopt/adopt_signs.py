"""Signs that the work looks at other rows than its own, or drops rows. They are no proof: rowmill check finds out."""

import ast

from adopt_known import BY_ROW, MOVES, JOINS, STATISTICS, TOLD
from adopt_names import arguments, changes, key, root
from adopt_talk import is_talk

RANDOM = ('random.', 'numpy.random.', 'uuid.', 'secrets.')
ON_ROWS = ('apply', 'map', 'applymap', 'transform', 'progress_apply', 'progress_map', 'parallel_apply')


class Signs:
    """Walks through the work, and with the frame into the functions that get it."""

    def __init__(self, program, notes, index_is_written):
        self.index_is_written = index_is_written
        self.state = None  # the attribute that has the frame
        self.drops_rows = False  # or multiplies them, by what each row says itself
        self.program, self.notes = program, notes
        self.functions = {function.name: function for function in program.functions}
        self.seen = set()

    def inspect(self, statements, held, without=()):
        """`held` are the variables that have the frame or a column of it."""
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
            self.rows(statement, held, shown)

    def inspect_node(self, node, held):
        if isinstance(node, ast.Call):
            self.call(node, held)
        elif (
            isinstance(node, ast.Attribute)
            and node.attr in ('iloc', 'iat', 'codes')
            and self.of_frame(node.value, held)
        ):
            self.tell(node, node.attr)
        elif isinstance(node, ast.For):
            self.counter(node, held)
        elif isinstance(node, ast.Try) and any(self.of_frame(part, held) for part in node.body):
            if not all(isinstance(handler.body[-1], ast.Raise) for handler in node.handlers):
                self.notes.sign(
                    node,
                    'If one row raises, the except branch is for all rows of the batch, and not for those of the file.',
                )

    def call(self, node, held):
        origin = self.program.origin(node.func) or ''
        name = origin.rsplit('.', 1)[-1] if isinstance(node.func, ast.Name) else getattr(node.func, 'attr', '')
        words = {keyword.arg: keyword.value for keyword in node.keywords}
        on_frame = isinstance(node.func, ast.Attribute) and self.of_frame(node.func.value, held)
        given_frame = any(self.of_frame(arg, held) for arg in node.args + list(words.values()))
        if name == 'to_datetime' and 'format' not in words and given_frame:
            self.notes.sign(
                node, 'to_datetime without format= guesses the format from the values of the column. Give format=.'
            )
        elif origin in ('len', 'range', 'enumerate') and given_frame and isinstance(node.func, ast.Name):
            self.notes.sign(node, f'{name} counts the rows: a batch has fewer than the file.')
        elif is_chance(origin):
            self.notes.sign(node, f'{origin} gives other values in each batch and in each worker, even with a seed.')
        elif name in STATISTICS and (on_frame or given_frame and origin.startswith(('numpy.', 'scipy.'))):
            axis = words.get('axis')
            if not (isinstance(axis, ast.Constant) and axis.value in (1, 'columns')) and not self.is_text(node.func):
                self.tell(node, name)
        elif (
            name in TOLD
            and name not in STATISTICS + ('codes', 'iloc')
            and (on_frame or given_frame and self.is_known(name, origin))
        ):
            self.tell(node, name)
        elif name == 'cut' and origin.startswith('pandas.') and given_frame and not is_list(node, words):
            self.notes.sign(
                node, 'cut with a number of bins makes its edges from all values. Give the edges as a list.'
            )
        elif name == 'astype' and any('category' in ast.dump(arg) for arg in node.args) and on_frame:
            self.notes.sign(
                node,
                'astype("category") takes its categories from the whole column. Give pd.CategoricalDtype([...]).',
            )
        elif name == 'reset_index' and on_frame and self.index_is_written:
            self.notes.sign(node, 'reset_index numbers the rows of each batch from 0, and the index is written.')
        elif name == 'fillna' and 'method' in words and on_frame:
            self.tell(node, 'ffill')
        self.into(node, name, held, on_frame)

    @staticmethod
    def is_known(name, origin):
        """Whether a function that gets the frame is one of a library, and not one of the program with the same name."""
        return origin.startswith(('pandas.', 'pd.', 'numpy.', 'scipy.', 'sklearn.')) or name.startswith('fit')

    def tell(self, node, name):
        self.notes.sign(node, f'{name} {TOLD[name]}. A batch has only some of the rows.')

    def into(self, node, name, held, on_frame):
        """Follows the frame into functions of the program. One for apply(axis=1) or map gets a row or a value."""
        if name in ON_ROWS and on_frame and name != 'pipe':
            for arg in node.args[:1]:
                self.function(arg, set())
        elif name == 'pipe' and on_frame and node.args:
            function = self.functions.get(key(node.args[0]))
            self.function(node.args[0], {arg.arg for arg in arguments(function)[:1]} if function else set())
        elif self.own_function(node.func):
            function = self.own_function(node.func)
            names = [arg.arg for arg in arguments(function)][isinstance(function.parent, ast.ClassDef) :]
            given = {names[i] for i, arg in enumerate(node.args[: len(names)]) if self.of_frame(arg, held)}
            given |= {keyword.arg for keyword in node.keywords if keyword.arg and self.of_frame(keyword.value, held)}
            self.function(node.func, given)

    def own_function(self, node):
        """The function or method of the program that a call may mean, or None."""
        function = self.functions.get(node.attr if isinstance(node, ast.Attribute) else key(node))
        is_method = function is not None and isinstance(function.parent, ast.ClassDef)
        return function if is_method == isinstance(node, ast.Attribute) else None

    def function(self, node, given):
        function = self.own_function(node)
        given = given | ({f'self.{self.state}'} if self.state and isinstance(node, ast.Attribute) else set())
        if function is None or (function.name, frozenset(given)) in self.seen:
            return
        self.seen.add((function.name, frozenset(given)))
        self.inspect(function.body, frame_names(function.body, given))
        for part in ast.walk(function):
            if isinstance(part, (ast.Global, ast.Nonlocal)):
                self.notes.look(
                    part,
                    f'{", ".join(part.names)} is changed here and lives on after the call. Each worker has its own.',
                )

    def rows(self, statement, held, shown):
        """Rows that are dropped, multiplied or joined."""
        for node in ast.walk(statement):
            if node in shown or not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            name = node.func.attr
            given = any(self.of_frame(arg, held) for arg in node.args) or self.of_frame(node.func.value, held)
            if name in JOINS and given or name in ('join', 'append') and root(node.func) in held:
                self.notes.look(
                    node,
                    f'{name} joins the frame with other rows. Each row needs exactly one result, in the same order.',
                )
            elif name in BY_ROW and given and root(node.func) in held:
                self.any_rows(node, f'{name} may change the number of rows')
            elif name in MOVES and given and root(node.func) in held:
                self.notes.look(node, f'{name} may change the number of rows. rowmill expects one result for each row.')
        value = getattr(statement, 'value', None)
        is_used = isinstance(statement, (ast.Assign, ast.Return, ast.Expr)) and value not in shown
        if is_used and self.is_filter(value, held):
            self.any_rows(statement, 'It keeps only some rows')

    def any_rows(self, node, what):
        self.drops_rows = True
        self.notes.note(node, f'{what}, so the command has --rows any.')

    def is_filter(self, node, held):
        """`df[df.a > 0]`, also with .copy() or .loc."""
        while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            node = node.func.value
        if not isinstance(node, ast.Subscript):
            return False
        base = node.value
        if isinstance(base, ast.Attribute) and base.attr == 'loc':
            base = base.value
        index = node.slice
        index = getattr(index, 'value', index) if type(index).__name__ == 'Index' else index
        index = index.elts[0] if isinstance(index, ast.Tuple) and index.elts else index
        if key(base) not in held or isinstance(index, (ast.Constant, ast.List, ast.Slice, ast.Name)):
            return False
        return isinstance(index, (ast.Compare, ast.BinOp, ast.UnaryOp, ast.Call)) and self.of_frame(index, held)

    def counter(self, loop, held):
        """`for i, row in enumerate(df.iterrows())` is told by enumerate; here: a counter that grows with each row."""
        if any(
            isinstance(node, ast.Call) and getattr(node.func, 'attr', '') in ('iterrows', 'itertuples')
            for node in ast.walk(loop.iter)
        ):
            grown = [
                node for node in ast.walk(loop) if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name)
            ]
            for node in grown:
                self.notes.sign(node, f'{node.target.id} grows from row to row. It begins anew in each batch.')

    @staticmethod
    def is_text(func):
        """Whether a method belongs to `.str` or `.dt`: it looks at one value."""
        return (
            isinstance(func, ast.Attribute)
            and isinstance(func.value, ast.Attribute)
            and func.value.attr in ('str', 'dt')
        )

    @staticmethod
    def of_frame(node, held):
        """Whether an expression is the frame, a column, or made of one, and not of one row."""
        return any(
            isinstance(part, (ast.Name, ast.Attribute)) and key(part) in held for part in walk_outside_lambdas(node)
        )


def is_chance(origin):
    """Whether a call gives random values or the time."""
    is_time = origin.split('.')[0] in ('datetime', 'pandas', 'time') and origin.rsplit('.', 1)[-1] in (
        'now',
        'today',
        'utcnow',
        'time',
    )
    return (
        is_time
        or origin.startswith(RANDOM)
        and not origin.endswith(('.seed', '.Random', '.default_rng', '.RandomState'))
    )


def walk_outside_lambdas(node):
    """The parts of an expression that may hold values of rows: not its lambdas, and not the names of columns."""
    if isinstance(node, ast.Attribute) and node.attr in ('columns', 'dtypes', 'dtype'):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.Lambda):
            yield from walk_outside_lambdas(child)


def is_list(call, words):
    bins = words.get('bins') or (call.args[1] if len(call.args) > 1 else None)
    return bins is not None and not (isinstance(bins, ast.Constant) and isinstance(bins.value, int))


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
