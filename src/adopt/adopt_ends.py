"""Finds the call that reads the frame, the call that writes it, and the one scope in which both ends meet."""

import ast

from adopt_names import FUNCTIONS, arguments, key

READS = ('read_csv', 'read_table')
OTHER_READS = (
    'read_excel',
    'read_parquet',
    'read_json',
    'read_sql',
    'read_sql_query',
    'read_fwf',
    'read_feather',
    'read_pickle',
)
OTHER_WRITES = ('to_excel', 'to_parquet', 'to_json', 'to_sql', 'to_feather', 'to_pickle')
MOST_PATHS = 40


class Path:
    """The way of an end outwards: its call, the call of the function around it, and so on, up to the module."""

    def __init__(self, nodes):
        self.nodes = nodes

    def __getitem__(self, level):
        return self.nodes[level]


class Job:
    """A read and a write that belong together. `level` of each path is the node in the common scope."""

    def __init__(self, program, read, write, read_level, write_level):
        self.read, self.write = read, write
        self.read_level, self.write_level = read_level, write_level
        self.scope = program.scope(read[read_level])
        self.state = None  # `job.df`, if the frame is an attribute of an object (adopt_state.py)

    @property
    def start(self):
        return self.read[self.read_level]

    @property
    def end(self):
        return self.write[self.write_level]

    @property
    def outside(self):
        """The calls of the scope in which both ends meet, innermost first."""
        return self.read.nodes[self.read_level + 1 :]


def find_reads(program):
    return [call for call in program.calls if any(program.is_pandas(call.func, name) for name in READS)]


def find_writes(program):
    return [call for call in program.calls if isinstance(call.func, ast.Attribute) and call.func.attr == 'to_csv']


def call_sites(program, function):
    """The calls of a function or method of the program, by its name."""
    is_method = isinstance(function.parent, ast.ClassDef)
    if is_method and function.name == '__init__':
        return [call for call in program.calls if key(call.func) == function.parent.name]
    found = []
    for call in program.calls:
        named = isinstance(call.func, ast.Name) and call.func.id == function.name and not is_method
        method = isinstance(call.func, ast.Attribute) and call.func.attr == function.name and is_method
        if named or method:
            found.append(call)
    return found


def paths(program, node):
    """Every way from a node outwards through the calls of the functions around it."""
    complete, open_ways = [], [[node]]
    while open_ways and len(complete) < MOST_PATHS:
        way = open_ways.pop(0)
        scope = program.scope(way[-1])
        inside = [program.scope(step) for step in way[:-1]]
        calls = call_sites(program, scope) if isinstance(scope, FUNCTIONS) and scope not in inside else []
        if calls:
            open_ways += [way + [call] for call in calls]
        else:
            complete.append(Path(way))
    return complete


def find_jobs(program):
    """Each read with each write that it reaches, innermost common scope first."""
    found = {}
    for read in find_reads(program):
        for write in find_writes(program):
            for read_path in paths(program, read):
                for write_path in paths(program, write):
                    job = meet(program, read_path, write_path)
                    if job and is_linked(program, job):
                        found.setdefault((id(job.start), id(job.end)), job)
    return list(found.values())


def meet(program, read, write):
    for read_level, start in enumerate(read.nodes):
        for write_level, end in enumerate(write.nodes):
            if (
                program.scope(start) is program.scope(end)
                and read.nodes[read_level + 1 :] == write.nodes[write_level + 1 :]
            ):
                return Job(program, read, write, read_level, write_level)
    return None


def is_linked(program, job):
    """Whether what is written comes from what was read, through every function on the way."""
    for level in range(job.read_level):
        scope = program.scope(job.read[level])
        returned = [node.value for node in ast.walk(scope) if isinstance(node, ast.Return) and node.value is not None]
        held = frames(program, scope, job.read[level], loose=True)
        if not any(mentions(value, held, job.read[level]) for value in returned):
            return False
    written = written_value(program, job, job.write_level)
    held = collected(program, job)
    if written is None or not mentions(written, held, job.start):
        return False
    for level in range(job.write_level):
        scope = program.scope(job.write[level])
        param = frame_parameter(program, job, level)
        value = written_value(program, job, level)
        if param is None or not mentions(value, frames(program, scope, None, {param}, True), None):
            return False
    return True


def collected(program, job):
    """The variables that hold the frame or what is made of all its rows, but not those of a loop over rows."""
    loops = [node for node in ast.walk(job.scope) if isinstance(node, (ast.For, ast.AsyncFor))]
    single = {key(part) for loop in loops for part in ast.walk(loop.target)}
    return frames(program, job.scope, job.start, loose=True) - single | frames(program, job.scope, job.start)


def written_value(program, job, level):
    """The expression that is written, as this level has it: the frame of to_csv, or the argument that carries it."""
    call = job.write[level]
    if level == 0:
        return call.func.value
    param = frame_parameter(program, job, level - 1)
    return param and argument_of(call, program.scope(job.write[level - 1]), param)


def frame_parameter(program, job, level):
    """The parameter of the function of this level that the written value comes from, or None."""
    scope = program.scope(job.write[level])
    value = written_value(program, job, level)
    if value is None or not isinstance(scope, FUNCTIONS):
        return None
    names = [arg.arg for arg in arguments(scope)]
    for name in names:
        if name not in ('self', 'cls') and mentions(value, frames(program, scope, None, {name}, True), None):
            return name
    return None


def argument_of(call, function, name):
    """The expression that a call gives to a parameter, its default, or None."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    args = function.args
    positional = [arg.arg for arg in getattr(args, 'posonlyargs', []) + args.args]
    skipped = (
        1
        if isinstance(function.parent, ast.ClassDef)
        and isinstance(call.func, ast.Attribute)
        or function.name == '__init__'
        else 0
    )
    if name in positional:
        index = positional.index(name)
        if 0 <= index - skipped < len(call.args) and not any(isinstance(arg, ast.Starred) for arg in call.args):
            return call.args[index - skipped]
    return default_of(function, name)


def default_of(function, name):
    args = function.args
    positional = [arg.arg for arg in getattr(args, 'posonlyargs', []) + args.args]
    defaults = dict(zip(positional[len(positional) - len(args.defaults) :], args.defaults))
    defaults.update((arg.arg, value) for arg, value in zip(args.kwonlyargs, args.kw_defaults) if value is not None)
    return defaults.get(name)


def frames(program, scope, start, names=(), loose=False):
    """The variables of a scope that hold the frame or come from it. `names` hold it from the beginning.

    `loose`: also those that hold one row, and what is collected of rows.
    """
    held = set(names)
    own = [
        node for node in ast.walk(scope) if isinstance(node, (ast.stmt, ast.NamedExpr)) and program.scope(node) is scope
    ]
    own.sort(key=lambda node: (node.lineno, node.col_offset))
    before = None
    while before != len(held):
        before = len(held)
        for node in own:
            held |= {name for name in holders(node, held, start, loose) if name not in ('self', 'cls')}
    return held


def holders(node, held, start, loose):
    """The variables that get the frame in this statement."""
    if isinstance(node, ast.Assign):
        targets, value = node.targets, node.value
    elif isinstance(node, (ast.AnnAssign, ast.AugAssign, ast.NamedExpr)):
        targets, value = [node.target], node.value
    elif isinstance(node, (ast.For, ast.AsyncFor)):
        in_pieces = start is not None and (
            contains(node.iter, start) or reads_pieces(start) and mentions(node.iter, held, start)
        )
        in_pieces = in_pieces or loose and mentions(node.iter, held, start)
        targets, value = ([node.target], node.iter) if in_pieces else ([], None)
    elif isinstance(node, (ast.With, ast.AsyncWith)):
        targets = [
            item.optional_vars for item in node.items if item.optional_vars and mentions(item.context_expr, held, start)
        ]
        return {key(target) for target in targets} - {None}
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute):
        # parts.append(df), results.update(...)
        call = node.value
        grows = call.func.attr in ('append', 'extend', 'update', 'add') and any(
            mentions(arg, held, start) for arg in call.args
        )
        return {key(call.func.value)} - {None} if grows else set()
    else:
        return set()
    if value is None or not mentions(value, held, start):
        return set()
    parts = [
        part for target in targets for part in (target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target])
    ]
    found = set()
    for part in parts:
        while (
            isinstance(part, ast.Subscript)
            or isinstance(part, ast.Attribute)
            and part.attr in ('loc', 'iloc', 'at', 'iat')
        ):
            part = part.value
        found.add(key(part))
    return found - {None}


def reads_pieces(call):
    """Whether a read gives several frames: `chunksize=`, `iterator=`."""
    return any(keyword.arg in ('chunksize', 'iterator') for keyword in call.keywords)


def contains(node, inner):
    return any(part is inner for part in ast.walk(node))


def mentions(node, held, start):
    """Whether an expression uses a variable that holds the frame, or the read itself."""
    return any(
        part is start or isinstance(part, (ast.Name, ast.Attribute)) and key(part) in held for part in ast.walk(node)
    )
