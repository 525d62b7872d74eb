"""Whether a function of the program does all the work, so that --classifier can name it as it is."""

import ast
import os

from adopt_names import FUNCTIONS, binds, key, loads
from adopt_work import is_main_guard


def direct_classifier(program, job, module, needed):
    """FILE:NAME or package.module:NAME of the function, or None. `needed` are names that --read and --write use."""
    found = find_function(program, module)
    if found is None:
        return None
    name = key(found)
    first = name.split('.')[0]
    origin = program.origins.get(first)
    if origin is None:
        top = [statement for statement in program.tree.body if not is_main_guard(statement)]
        has_names = all(any(wanted in binds(statement) for statement in top) for wanted, _ in needed)
        is_usable = has_names and is_importable(program, job) and not has_late_globals(program)
        return f'{program.path}:{name}' if is_usable else None
    place, _, attribute = (origin + name[len(first) :]).rpartition('.')
    beside = all(program.origins.get(wanted) == f'{place}.{wanted}' for wanted, _ in needed)
    if not beside or not place or place.startswith('.'):
        return None
    file = os.path.join(program.folder, *place.split('.')) + '.py'
    return f'{file if os.path.isfile(file) else place}:{attribute}'


def find_function(program, module):
    """The function of `df = classify(df)`, `classify(df)` or `df.pipe(classify)`, if that is all the work, or None."""
    if len(module.busy) != 1 or module.preludes[module.busy[0]] or module.busy[0].state:
        return None
    work = module.busy[0]
    *statements, last = work.statements
    value = work.value if work.end else last.value if isinstance(last, ast.Return) else None
    if value is None or len(statements) > 1:
        return None
    if not statements:
        return called(program, work, value)
    statement = statements[0]
    found = called(program, work, getattr(statement, 'value', None))
    if found is None or not isinstance(value, ast.Name):
        return None
    if isinstance(statement, ast.Expr):
        return found if value.id == work.param and returns_nothing(program, found) else None
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, 'target', None)]
    return found if len(targets) == 1 and key(targets[0]) == value.id else None


def called(program, work, value):
    """The function in `f(df)` or `df.pipe(f)`, or None."""

    def is_frame(node):
        return node is work.start or key(node) == work.param

    if not isinstance(value, ast.Call) or value.keywords or len(value.args) != 1:
        return None
    if isinstance(value.func, ast.Attribute) and value.func.attr == 'pipe' and is_frame(value.func.value):
        found = value.args[0]
    elif is_frame(value.args[0]):
        found = value.func
    else:
        return None
    name = key(found) or ''
    own = any(function.name == name and isinstance(function.parent, ast.Module) for function in program.functions)
    return found if own or name.split('.')[0] in program.origins else None


def returns_nothing(program, found):
    """Whether a function of the program changes the frame in place. Nobody knows it of a function of another module."""
    function = next((function for function in program.functions if function.name == key(found)), None)
    if function is None:
        return False
    returns = [node for node in ast.walk(function) if isinstance(node, ast.Return) and program.scope(node) is function]
    return not any(node.value is not None for node in returns)


def has_late_globals(program):
    """Whether functions read variables that an import does not set: under the main guard, or with `global`."""
    body = program.tree.body
    late = {name for statement in body if is_main_guard(statement) for name in binds(statement)}
    late |= {name for node in ast.walk(program.tree) if isinstance(node, ast.Global) for name in node.names}
    return any(late & loads(statement) for statement in body if isinstance(statement, FUNCTIONS + (ast.ClassDef,)))


def is_importable(program, job):
    """Whether importing the program runs nothing of the job. Importing it is what --classifier does."""
    ends = set(job.read.nodes + job.write.nodes)
    for statement in program.tree.body:
        if isinstance(statement, FUNCTIONS + (ast.ClassDef, ast.Import, ast.ImportFrom)) or is_main_guard(statement):
            continue
        for node in ast.walk(statement):
            name = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ''
            if (
                node in ends
                or program.origin(node) in ('sys.argv', 'input')
                or name.startswith(('parse_', 'to_csv', 'read_csv'))
            ):
                return False
    return not program.is_notebook
