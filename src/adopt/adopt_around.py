"""What happens around the work and inside it that the command does not do, or does otherwise."""

import ast

from adopt_ends import OTHER_WRITES, call_sites, mentions
from adopt_lasting import look_at_lasting
from adopt_names import FUNCTIONS, key
from adopt_settings import may_matter_often
from adopt_signs import Signs
from adopt_talk import ENDS, is_talk
from adopt_told import is_chance
from adopt_work import is_main_guard


def look_around(program, notes, job, module):
    """What happens around the work: loops that call it, functions that are handed on, statements after it."""
    look_at_calls(program, notes, job)
    for call in program.calls:
        if program.origin(call.func) == 'os.chdir':
            notes.look(call, 'It changes the working directory. Put full paths into the command.')
    look_after(program, notes, module.common)


def look_at_calls(program, notes, job):
    """The job may run several times: in a loop, by several calls, or by a function that gets one of its functions."""
    for call in job.outside:
        for _, block, index in program.blocks(call):
            owner = block[index]
            if isinstance(owner, (ast.For, ast.AsyncFor, ast.While)):
                notes.look(owner, 'The job runs in a loop. The command does it once: run it for each file.')
    chain = set(job.read.nodes + job.write.nodes)
    for scope in {program.scope(node) for node in chain}:
        for call in call_sites(program, scope) if isinstance(scope, FUNCTIONS) else []:
            if call not in chain:
                notes.look(call, f'It calls {scope.name} again. The command does only one of the calls.')
    names = {getattr(program.scope(node), 'name', None) for node in chain}
    for node in ast.walk(program.tree):
        if isinstance(node, ast.Name) and node.id in names and isinstance(node.parent, (ast.Call, ast.keyword)):
            if getattr(node.parent, 'func', None) is not node:
                text = f'{node.id} is handed to another function, which may call it often. The command does it once.'
                notes.look(node, text)


def look_after(program, notes, work):
    for statement in work.after:
        if is_main_guard(statement) or isinstance(statement, FUNCTIONS + (ast.ClassDef, ast.Import, ast.ImportFrom)):
            continue
        if mentions(statement, work.held, None) and not isinstance(statement, (ast.Return, ast.Delete)):
            kind = 'shows' if is_talk(program, statement) else 'uses'
            text = f'It {kind} the frame after the write. The command does not: read OUT for that.'
            (notes.note if kind == 'shows' else notes.look)(statement, text)
        elif has_effect(program, work, statement):
            notes.look(statement, 'It runs after the write. The command does not run it: run it afterwards.')


def has_effect(program, work, statement):
    """Whether a statement after the write does something that nobody may forget."""
    if is_talk(program, statement) or isinstance(
        statement, (ast.Return, ast.Raise, ast.Assign, ast.AnnAssign, ast.Delete)
    ):
        return False
    calls = [node for node in ast.walk(statement) if isinstance(node, ast.Call)]
    return any(
        (program.origin(call.func) or 'x').split('.')[0] not in ('sys', 'time', 'gc', 'exit', 'print') for call in calls
    )


def look_inside(program, notes, module):
    """What the work itself does: signs of other rows, and what would be done for each batch.

    Returns whether it drops or multiplies rows.
    """
    words = {keyword.arg: keyword.value for keyword in module.job.write[0].keywords}
    index_is_written = getattr(words.get('index'), 'value', True) not in (False, None)
    signs = Signs(program, notes, index_is_written, program.modules)
    signs.state = module.job.state and module.job.state.split('.')[1]
    for work in module.busy:
        held = {work.param, work.state} if work.state else work.held | {work.param, work.start} - {None}
        signs.inspect(work.statements, held, {work.end})
        for statement in work.statements:
            look_at_statement(program, notes, module, work, statement)
    for statements in module.needs.layers.values():
        for statement in statements:
            for node in ast.walk(statement) if not isinstance(statement, FUNCTIONS + (ast.ClassDef,)) else ():
                if isinstance(node, ast.Call) and is_chance(program.origin(node.func) or ''):
                    notes.sign(node, f'{program.origin(node.func)} gives each worker another value.')
    look_at_lasting(notes, module)
    if not module.busy:
        notes.look(module.job.write[0], 'Nothing happens to the frame between read and write.')
    return signs.drops_rows


def look_at_statement(program, notes, module, work, statement):
    for node in ast.walk(statement):
        if isinstance(node, ast.Call) and node is not work.end:
            look_at_call(program, notes, node)
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            notes.look(node, f'{", ".join(node.names)} lives on after the call. Each worker has its own.')
        elif isinstance(node, ast.Return) and work.end is not None and program.scope(node) is work.scope:
            notes.look(node, 'It ends before the write. The command writes OUT in any case.')
    is_apart = isinstance(statement, ast.Expr) and not work.touches(statement)
    if is_apart and may_matter_often(module.needs, statement.value):
        text = 'It runs for each batch, and ran once in the program. Take it out, or move it to the top of the module.'
        notes.look(statement, text)


def look_at_call(program, notes, call):
    name = getattr(call.func, 'attr', '')
    if name in ('to_csv',) + OTHER_WRITES:
        notes.look(call, f'{name} writes a file in the middle of the work: each batch would replace it. Take it out.')
    elif key(call.func) in ('exec', 'eval', 'globals', 'locals', 'vars'):
        notes.look(call, f'{key(call.func)} reaches names that adopt cannot see. Check that the module has them.')
    elif program.origin(call.func) in ENDS:
        notes.look(call, 'It ends the program in the middle of the work. For rowmill it rejects the row.')
