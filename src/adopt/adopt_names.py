"""Which names statements read, bind and change."""

import ast
import functools
import re

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SCOPES = FUNCTIONS + (ast.Lambda, ast.ClassDef, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
MUTATORS = {
    'append',
    'extend',
    'update',
    'add',
    'pop',
    'remove',
    'insert',
    'clear',
    'setdefault',
    'sort',
    'discard',
    'popitem',
}


def key(node):
    """`df` or `self.df`: how a variable is told apart, or None."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = key(node.value)
        return base and f'{base}.{node.attr}'
    return None


def root(node):
    """The name at the beginning of `name.part[0].call()`, or None."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def arguments(function):
    args = function.args
    every = getattr(args, 'posonlyargs', []) + args.args + args.kwonlyargs
    return every + [arg for arg in (args.vararg, args.kwarg) if arg]


@functools.lru_cache(maxsize=None)  # a long program asks for the same statements again and again
def binds(node):
    """The names that a statement or expression binds in its own scope."""
    names = set()

    def visit(part):
        if isinstance(part, FUNCTIONS + (ast.ClassDef,)):
            names.add(part.name)
            return
        if isinstance(part, (ast.Import, ast.ImportFrom)):
            names.update((alias.asname or alias.name).split('.')[0] for alias in part.names)
        elif isinstance(part, ast.Name) and isinstance(part.ctx, (ast.Store, ast.Del)):
            names.add(part.id)
        elif isinstance(part, ast.ExceptHandler) and part.name:
            names.add(part.name)
        elif isinstance(part, ast.Lambda):
            return
        elif isinstance(part, SCOPES):
            # Of a comprehension only := binds outside.
            names.update(w.target.id for w in ast.walk(part) if isinstance(w, ast.NamedExpr))
            return
        elif type(part).__name__ in ('MatchAs', 'MatchStar') and part.name:
            names.add(part.name)
        for child in ast.iter_child_nodes(part):
            visit(child)

    visit(node)
    return frozenset(names)


def changes(node):
    """The names whose objects a statement changes: `x[0] = 1`, `x.a = 1`, `x.append(1)`, `del x[0]`, `x += 1`."""
    names = set()
    for part in ast.walk(node):
        if isinstance(part, (ast.Subscript, ast.Attribute)) and isinstance(part.ctx, (ast.Store, ast.Del)):
            names.add(root(part))
        elif isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr in MUTATORS:
            names.add(root(part.func))
        elif isinstance(part, ast.AugAssign):
            names.add(root(part.target))
    return names - {None}


def loads(node, without=()):
    """The names that a node reads and does not bind in a scope of its own. Nodes in `without` do not count."""
    names = set()

    def visit(part, own):
        if part in without:
            return
        if isinstance(part, ast.Name):
            if isinstance(part.ctx, ast.Load) and part.id not in own:
                names.add(part.id)
            return
        if isinstance(part, ast.AugAssign) and isinstance(part.target, ast.Name) and part.target.id not in own:
            names.add(part.target.id)
        if isinstance(part, FUNCTIONS + (ast.Lambda,)):
            visit_function(part, own)
            return
        if isinstance(part, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            own = own | {n.id for g in part.generators for n in ast.walk(g.target) if isinstance(n, ast.Name)}
        if isinstance(part, ast.ClassDef):
            own = own | {name for statement in part.body for name in binds(statement)}
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr in ('query', 'eval'):
            names.update(name for name in at_names(part) if name not in own)
        for child in ast.iter_child_nodes(part):
            visit(child, own)

    def visit_function(function, own):
        for outside in getattr(function, 'decorator_list', []) + function.args.defaults + function.args.kw_defaults:
            if outside is not None:
                visit(outside, own)
        body = function.body if isinstance(function.body, list) else [function.body]
        outer = {
            name for node in ast.walk(function) if isinstance(node, (ast.Global, ast.Nonlocal)) for name in node.names
        }
        local = {arg.arg for arg in arguments(function)} | {name for statement in body for name in binds(statement)}
        names.update(outer - own)
        for arg in arguments(function) + [function]:
            hint = getattr(arg, 'annotation', None) or getattr(arg, 'returns', None)
            if hint is not None:
                visit(hint, own)
        for statement in body:
            visit(statement, own | (local - outer))

    visit(node, frozenset())
    return names


def at_names(call):
    """The names in `df.query('x > @limit')`."""
    texts = [node.value for node in ast.walk(call) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return {name for text in texts for name in re.findall(r'@([A-Za-z_]\w*)', text)}


def free(statements, without=(), bound=()):
    """The names that statements of one block read before they bind them."""
    bound = set(bound)
    names = set()
    for statement in statements:
        names |= free_of(statement, without, bound)
    return names


def free_of(statement, without, bound):
    """The free names of one statement; adds what it binds to `bound`."""
    blocks = [getattr(statement, field, None) or [] for field in ('body', 'orelse', 'finalbody')]
    handlers = getattr(statement, 'handlers', None) or []
    if isinstance(statement, FUNCTIONS + (ast.ClassDef,)) or not (any(blocks) or handlers):
        own = binds(statement) if type(statement).__name__ == 'Match' else set()
        names = loads(statement, without) - bound - own
        bound |= binds(statement)
        return names
    names = set()
    inner = {child for block in blocks for child in block} | set(handlers)
    for child in ast.iter_child_nodes(statement):
        if child not in inner:
            names |= loads(child, without) - bound
            bound |= binds(child)
    for block in [blocks[0]] + [handler.body for handler in handlers] + blocks[1:]:
        for handler in handlers:
            if handler.body is block:
                bound |= {handler.name} - {None}
                names |= loads(handler.type, without) - bound if handler.type else set()
        for child in block:
            names |= free_of(child, without, bound)
    return names
