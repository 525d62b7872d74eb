"""Statements before the work that nobody needs by name: those that set something up are kept, others are named."""

import ast
import re

from adopt_ends import contains
from adopt_names import FUNCTIONS, binds, key, root

SETTINGS = (
    'pandas.set_option',
    'pandas.options',
    'pandas.set_eng_float_format',
    'warnings',
    'numpy.random.seed',
    'numpy.seterr',
    'random.seed',
    'tqdm',
    'pandarallel',
    'locale',
    'sys.path',
    'sys.setrecursionlimit',
    'decimal',
)
HARMLESS = (
    'os.chdir',
    'time.sleep',
    'os.makedirs',
    'os.mkdir',
    'gc.collect',
    'plt',
    'matplotlib',
    'logging',
    'sys.stdout',
    'sys.stderr',
    'sys.exit',
)


def keep_settings(needs, imported):
    """Calls before the work that set something up, such as pd.set_option. Others that nobody needs are named.

    `imported`: the program itself is imported, so what is at its top runs.
    """
    for scope in list(needs.layers):
        for statement in needs.of_module() if isinstance(scope, ast.Module) else needs.prepared.get(scope) or []:
            if statement in needs.layers[scope] or isinstance(statement, FUNCTIONS):
                continue
            if is_wanted(needs, statement):
                needs.keep([statement], scope)
            elif isinstance(statement, (ast.Expr, ast.Assign)):
                setting(needs, statement, scope, imported and statement in needs.program.tree.body)


def is_wanted(needs, statement):
    """Star imports, accessors of a DataFrame, `import swifter`: they work although nobody uses their names."""
    if isinstance(statement, ast.ImportFrom):
        return statement.module == '__future__' or statement.names[0].name == '*'
    if isinstance(statement, ast.ClassDef):
        return any(
            (needs.program.origin(getattr(part, 'func', part)) or '').startswith('pandas.')
            for part in statement.decorator_list
        )
    return isinstance(statement, ast.Import) and bool(binds(statement) & needs.attributes)


def setting(needs, statement, scope, runs):
    value = statement.value
    target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(value, 'func', None)
    if isinstance(target, ast.Subscript) or target is None:
        if isinstance(target, ast.Subscript) and needs.program.origin(target.value) == 'os.environ':
            needs.keep([statement], scope)
        return
    origin = needs.program.origin(target) or ''
    is_attribute = (
        isinstance(statement, ast.Assign)
        and isinstance(target, ast.Attribute)
        and root(target) in needs.program.origins
    )
    if isinstance(statement, ast.Assign) and not is_attribute:
        return
    if (
        is_attribute
        or any(origin == name or origin.startswith(f'{name}.') for name in SETTINGS)
        or origin in needs.setters
    ):
        needs.keep([statement], scope)
        if origin.startswith('pandas.') and not re.search('display|chained_assignment', needs.program.source(statement)):
            needs.notes.look(
                statement, 'It changes how pandas works. The module does the same, but the file is read without it.'
            )
    elif not runs and may_matter(needs, value, origin):
        needs.notes.look(
            statement,
            f'{key(value.func)}() runs before the read, and is left out. Add it to the module if the work needs it.',
        )


def may_matter_often(needs, value):
    """Whether a call between the ends, which does not touch the frame, may do more than set something up."""
    origin = needs.program.origin(getattr(value, 'func', None)) or ''
    return not any(origin == name or origin.startswith(f'{name}.') for name in SETTINGS + HARMLESS)


def may_matter(needs, call, origin):
    if any(contains(call, other) for other in needs.forbidden) or 'log' in origin.lower():
        return False
    if any(origin == name or origin.startswith(f'{name}.') for name in HARMLESS):
        return False
    if isinstance(call.func, ast.Name):
        known = {function.name for function in needs.program.functions}
        return call.func.id in known or call.func.id in needs.program.origins
    return root(call.func) in needs.program.origins
