"""Statements that only show something: prints, logging, what a notebook displays. The work leaves them out."""

import ast

from adopt_ends import mentions
from adopt_names import key

SHOWS = ('head', 'tail', 'info', 'describe', 'sample', 'display', 'value_counts', 'print', 'pprint')
LOGS = ('debug', 'info', 'warning', 'warn', 'error', 'exception', 'critical', 'log')
ENDS = ('sys.exit', 'exit', 'quit', 'os._exit')


def is_talk(program, statement):
    """Whether a statement only prints, logs or shows something."""
    if isinstance(statement, ast.Pass):
        return True
    if isinstance(statement, (ast.If, ast.For)):
        return all(is_talk(program, child) for child in statement.body + statement.orelse)
    if not isinstance(statement, ast.Expr) or any(isinstance(node, ast.NamedExpr) for node in ast.walk(statement)):
        return False
    value = statement.value
    if isinstance(value, (ast.Name, ast.Attribute, ast.Subscript, ast.Constant, ast.Compare)):
        return True
    if not isinstance(value, ast.Call):
        return False
    if any(isinstance(node, ast.Call) and node is not value and is_pop(node) for node in ast.walk(value)):
        return False
    if isinstance(value.func, ast.Name):
        return value.func.id in SHOWS + ('get_ipython',)
    if not isinstance(value.func, ast.Attribute):
        return False
    name = value.func.attr
    logs = name in LOGS and 'log' in (key(value.func.value) or '').lower()
    return (
        logs or is_ipython(statement) or name in SHOWS or (program.origin(value.func) or '').startswith('sys.stdout.')
    )


def is_pop(call):
    return isinstance(call.func, ast.Attribute) and call.func.attr in ('pop', 'insert')


def is_ipython(statement):
    value = getattr(statement, 'value', None)
    return isinstance(value, ast.Call) and any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'get_ipython'
        for node in ast.walk(value)
    )


def is_length(node, held):
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'len':
        return any(mentions(arg, held, None) for arg in node.args)
    return isinstance(node, ast.Attribute) and node.attr == 'shape' and key(node.value) in held


def ends_program(statement, program):
    if isinstance(statement, (ast.Raise, ast.Return)):
        return True
    call = getattr(statement, 'value', None)
    return isinstance(statement, ast.Expr) and isinstance(call, ast.Call) and program.origin(call.func) in ENDS
