"""Statements of the work that change the number of rows: they drop, multiply or join them."""

import ast

from adopt_known import BY_ROW, JOINS, MOVES
from adopt_names import key


class NumberOfRows:
    """Finds them. `drops` says whether a row alone decides, so that --rows any does it."""

    def __init__(self, program, notes, of_frame):
        self.program, self.notes, self.of_frame = program, notes, of_frame
        self.drops = False

    def inspect(self, statement, held, shown):
        for node in ast.walk(statement):
            if node in shown:
                continue
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                self.call(node, held)
            elif isinstance(node, ast.Assign):
                self.new_row(node, held)
        value = getattr(statement, 'value', None)
        is_used = isinstance(statement, (ast.Assign, ast.Return, ast.Expr)) and value not in shown
        if is_used and self.is_filter(value, held):
            self.any_rows(statement, 'It keeps only some rows')

    def call(self, node, held):
        name = node.func.attr
        given = any(self.of_frame(arg, held) for arg in node.args) or self.of_frame(node.func.value, held)
        if name == 'concat' and given and is_of_columns(node):
            self.notes.look(node, 'concat puts columns side by side by their index. Each part needs the index of its rows.')
        elif name in JOINS and given or name in ('join', 'append') and begins_with_frame(node.func, held):
            self.notes.look(
                node,
                f'{name} joins the frame with other rows. Each row needs exactly one result, in the same order.',
            )
        elif not given or not begins_with_frame(node.func, held):
            return
        elif name in BY_ROW and not is_of_columns(node) or name == 'drop' and not is_of_columns(node):
            self.any_rows(node, f'{name} may change the number of rows')
        elif name in MOVES:
            self.notes.look(node, f'{name} may change the number of rows. rowmill expects one result for each row.')

    def new_row(self, node, held):
        """`df.loc['total'] = ...` adds a row."""
        for target in node.targets:
            base = target.value if isinstance(target, ast.Subscript) else None
            is_row = isinstance(base, ast.Attribute) and base.attr == 'loc' and isinstance(index_of(target), ast.Constant)
            if is_row and key(base.value) in held:
                self.notes.look(node, 'It sets a row of the whole file. Each batch would get that row.')

    def any_rows(self, node, what):
        self.drops = True
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
        index = index_of(node)
        index = index.elts[0] if isinstance(index, ast.Tuple) and index.elts else index
        return begins_with_frame(base, held) and self.picks_rows(index, held)

    def picks_rows(self, index, held):
        if isinstance(index, ast.Lambda):
            return True
        if isinstance(index, ast.Name):
            values = [
                node.value
                for node in ast.walk(self.program.scope(index))
                if isinstance(node, ast.Assign) and any(key(target) == index.id for target in node.targets)
            ]
            return any(not isinstance(value, ast.Name) and self.picks_rows(value, held) for value in values)
        is_mask = isinstance(index, (ast.Compare, ast.BinOp, ast.BoolOp, ast.UnaryOp, ast.Call, ast.ListComp))
        return is_mask and self.of_frame(index, held)


def begins_with_frame(node, held):
    """Whether an expression is the frame, or methods and items of it."""
    while node not in held and key(node) not in held and isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node in held or key(node) in held


def index_of(node):
    """What is between the brackets, in every version of Python."""
    return getattr(node.slice, 'value', node.slice) if type(node.slice).__name__ == 'Index' else node.slice


def is_of_columns(call):
    """Whether a call says that it is about columns: `columns=`, `axis=1`."""
    words = {keyword.arg: keyword.value for keyword in call.keywords}
    axis = words.get('axis') or (call.args[1] if len(call.args) > 1 else None)
    return 'columns' in words or isinstance(axis, ast.Constant) and axis.value in (1, 'columns')
