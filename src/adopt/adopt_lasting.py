"""Functions of the work that change something which lives on after the call: each worker and each batch has its own."""

import ast

from adopt_names import FUNCTIONS, arguments, binds, changes, key, loads

TEXT = '{} is changed here and lives on after the call. That is fine for a cache, and wrong for a count of rows.'


def look_at_lasting(notes, module):
    """Names what functions and methods change that are reached from the work."""
    kept = {name: s for statements in module.needs.layers.values() for s in statements for name in binds(s)}
    names = {name for work in module.busy for statement in work.statements for name in loads(statement)}
    names |= {name for value in module.values for name in loads(value)}
    seen = set()
    while names - seen:
        name = (names - seen).pop()
        seen.add(name)
        if name in kept:
            names |= loads(kept[name])
    frames = {name for work in module.busy for name in work.held | {work.param}}
    for name in sorted(seen & set(kept)):
        statement = kept[name]
        if isinstance(statement, FUNCTIONS):
            look_at_function(notes, statement, frames)
        elif isinstance(statement, ast.ClassDef):
            look_at_class(notes, statement, module.job.state)


def look_at_function(notes, function, frames):
    local = (
        frames
        | {arg.arg for arg in arguments(function)}
        | {name for statement in function.body for name in binds(statement)}
    )
    for statement in function.body:
        for name in sorted(changes(statement) - local):
            notes.sign(statement, TEXT.format(name))


def look_at_class(notes, owner, state):
    """Counters of a class: `self.n += 1` and `Class.n += 1` in a method. What a method only sets may be a model."""
    frame = state and f'self.{state.split(".")[1]}'
    for method in owner.body:
        if not isinstance(method, FUNCTIONS) or method.name == '__init__':
            continue
        for node in ast.walk(method):
            name = key(node.target) if isinstance(node, ast.AugAssign) else None
            if name and '.' in name and name != frame:
                notes.sign(node, TEXT.format(name))
