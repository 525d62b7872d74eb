"""What a loop over rows carries from one row to the next: a counter, the row before, what it has seen."""

import ast

from adopt_names import binds, changes, free

COLLECTS = ('append', 'extend')


def carried(loop, held):
    """The variables that an iteration reads before it sets them, and changes. Lists that only grow do not count."""
    set_here = {name for statement in loop.body for name in binds(statement) | changes(statement)}
    names = free(loop.body, (), binds(loop.target)) & set_here - held
    return sorted(name for name in names if not only_collects(loop, name))


def only_collects(loop, name):
    """Whether the loop does nothing with a variable but `rows.append(...)` and `rows[index] = ...`."""
    index = loop.target.elts[0] if isinstance(loop.target, ast.Tuple) else loop.target
    return all(
        grows(node) or is_item_of(node, index)
        for statement in loop.body
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and node.id == name
    )


def grows(node):
    call = getattr(node.parent, 'parent', None)
    method = node.parent
    is_method = isinstance(method, ast.Attribute) and method.attr in COLLECTS and getattr(call, 'func', None) is method
    return is_method and isinstance(call.parent, ast.Expr)


def is_item_of(node, index):
    """`rows[index] = ...` with the variable of the loop."""
    item = node.parent
    is_set = isinstance(item, ast.Subscript) and isinstance(item.ctx, ast.Store) and isinstance(item.parent, ast.Assign)
    return is_set and isinstance(index, ast.Name) and getattr(item.slice, 'id', None) == index.id
