"""Reads an old program and tells how rowmill runs its job. Nothing of the program is run or imported.

    python adopt.py PROGRAM MODULE

PROGRAM is a .py or .ipynb file, MODULE the file that a new module would get. Prints one JSON object.
"""

import ast
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from adopt_calls import CallText, file_of  # noqa: E402
from adopt_direct import direct_classifier  # noqa: E402
from adopt_ends import OTHER_READS, OTHER_WRITES, call_sites, find_jobs, find_reads, find_writes, mentions, reads_pieces, written_value  # noqa: E402
from adopt_module import Module  # noqa: E402
from adopt_names import FUNCTIONS, binds, key, loads, root  # noqa: E402
from adopt_notes import LOOK, SIGN, Notes  # noqa: E402
from adopt_places import Places  # noqa: E402
from adopt_program import Program, Unreadable  # noqa: E402
from adopt_signs import Signs, is_chance  # noqa: E402
from adopt_state import find_state_jobs  # noqa: E402
from adopt_work import ENDS, is_main_guard  # noqa: E402


def adopt(path, module_path):
    program = Program(path)
    notes = Notes(program)
    jobs = find_jobs(program) or find_state_jobs(program)
    if not jobs:
        explain_nothing(program, notes)
        return {'found': None, 'notes': notes.records(), 'done': False}
    job = choose(program, notes, jobs)
    found = describe(program, notes, job, module_path)
    return {'found': found, 'notes': notes.records(), 'done': not notes.has(LOOK, SIGN)}


def explain_nothing(program, notes):
    """Why there is no command."""
    reads, writes = find_reads(program), find_writes(program)
    for call in program.calls:
        name = (program.origin(call.func) or '').rsplit('.', 1)[-1]
        if name in OTHER_READS and not reads:
            notes.look(call, f'{name}: rowmill reads CSV files. Write the data as CSV first.')
        elif name in OTHER_WRITES and not writes:
            notes.look(call, f'{name}: rowmill writes CSV files. Write CSV, and convert the file afterwards.')
        elif (program.origin(call.func) or '') in ('csv.reader', 'csv.DictReader'):
            notes.look(call, 'It reads with the csv module, row by row. Write a function over a pandas DataFrame that does the same.')
        elif (program.origin(call.func) or '').startswith(('polars.', 'dask.', 'pyspark.')):
            notes.look(call, f'{program.origin(call.func)}: only pandas gives the same bytes. Write the job with pandas first.')
    for call in reads if writes else []:
        notes.look(call, 'The frame is read here, and no to_csv writes it in a way that adopt can follow.')
    for call in writes if reads else []:
        notes.look(call, f'{program.one_line(call.func.value)} is written here. Cut the work between read and write out by hand.')
    if reads and not writes:
        notes.look(reads[0], 'The frame is read here, but no to_csv writes it.')
    if writes and not reads:
        notes.look(writes[0], 'The frame is written here, but no pd.read_csv reads it.')
    if not notes.found:
        notes.look(1, 'There is no pd.read_csv and no to_csv in it.')


def choose(program, notes, jobs):
    """The job of the last write, with the first file that it reads. The others are named."""
    last = max(jobs, key=lambda job: (job.write[0].lineno, job.end.lineno, job.end.col_offset))
    own = [job for job in jobs if job.write[0] is last.write[0] and job.end is last.end]
    first = min(own, key=lambda job: (not is_same_variable(program, job), job.read[0].lineno, job.start.lineno, job.start.col_offset))
    for job in own:
        if job is not first and job.start is not first.start:
            text = f'It also reads here. adopt takes the file of {program.place(first.start.lineno)} for the one with the rows.'
            notes.look(job.start, text)
    for write in {job.write[0] for job in jobs} - {last.write[0]}:
        notes.look(write, 'It also writes here. The command writes what the last to_csv writes: make another command for this file.')
    return first


def is_same_variable(program, job):
    """Whether the frame is written from the variable that it was read into: then other files are joined to it."""
    written = job.end if job.state else written_value(program, job, job.write_level)
    if begins_with(written, job.start):
        return True
    return root(written) is not None and root(written) in binds(program.statement(job.start))


def begins_with(node, start):
    """Whether an expression is `start`, or methods of it."""
    while node is not start and isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
        if isinstance(node, ast.Attribute) and node.value is start:
            return True
    return node is start


def describe(program, notes, job, module_path):
    writes = find_writes(program)
    module = Module(program, notes, job, writes)
    calls = dict(module.needs.calls)
    for function in program.functions:
        sites = call_sites(program, function)
        if len(sites) == 1:
            calls.setdefault(function, sites[0])
    look_around(program, notes, job, module)
    places = Places(program, calls)
    texts = CallText(program, notes, places, 'READ')
    source = file_of(places, program, notes, job.read[0], 'IN')
    read = texts.read(job.read[0], source)
    needed = [(name, program.scope(job.read[0])) for name in texts.names]
    constants = dict(texts.constants)
    values = texts.values
    texts = CallText(program, notes, places, 'WRITE')
    target = file_of(places, program, notes, job.write[0], 'OUT')
    write = texts.write(job.write[0], target, reads_pieces(job.read[0]))
    needed += [(name, program.scope(job.write[0])) for name in texts.names]
    constants.update(texts.constants)
    for name, scope in needed:
        module.needs.need({name}, scope)
    for node in constants.values():
        module.needs.need(loads(node), program.scope(node))
    module.values = values + texts.values + list(constants.values())
    direct = None if constants else direct_classifier(program, job, module, needed)
    module.settle(direct is not None)
    inspect(program, notes, module)
    file = os.path.basename(module_path)
    text = None
    if direct is None:
        text = module.render(constants, file)
        module.check()
    return {
        'read': {'line': job.read[0].lineno, 'place': program.place(job.read[0].lineno), 'file': source, 'call': read},
        'write': {'line': job.write[0].lineno, 'place': program.place(job.write[0].lineno), 'file': target, 'call': write},
        'classifier': direct or f'{module_path}:{module.name}',
        'module': text,
    }


def look_around(program, notes, job, module):
    """What happens around the work: loops that call it, statements after it, functions that are handed on."""
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
    scopes = {program.scope(node) for node in job.read.nodes + job.write.nodes}
    for node in ast.walk(program.tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            named = [scope for scope in scopes if isinstance(scope, FUNCTIONS) and scope.name == node.id]
            is_called = isinstance(node.parent, ast.Call) and node.parent.func is node
            if named and not is_called and isinstance(node.parent, (ast.Call, ast.keyword)):
                notes.look(node, f'{node.id} is handed to another function, which may call it several times. The command does it once.')
    for call in program.calls:
        if program.origin(call.func) == 'os.chdir':
            notes.look(call, 'It changes the working directory. Put full paths into the command.')
    work = module.common
    for statement in work.after:
        if is_main_guard(statement) or isinstance(statement, FUNCTIONS + (ast.ClassDef, ast.Import, ast.ImportFrom)):
            continue
        if mentions(statement, work.held, None) and not isinstance(statement, (ast.Return, ast.Delete)):
            kind = 'shows' if work.is_talk(statement) else 'uses'
            text = f'It {kind} the frame after the write. The command does not: read OUT for that.'
            (notes.note if kind == 'shows' else notes.look)(statement, text)
        elif has_effect(program, work, statement, job):
            notes.look(statement, 'It runs after the write. The command does not run it: run it afterwards.')


def has_effect(program, work, statement, job):
    if work.is_talk(statement) or isinstance(statement, (ast.Return, ast.Raise, ast.Assign, ast.AnnAssign, ast.Delete)):
        return False
    calls = [node for node in ast.walk(statement) if isinstance(node, ast.Call)]
    return any((program.origin(call.func) or 'x').split('.')[0] not in ('sys', 'time', 'gc', 'exit', 'print') for call in calls)


def inspect(program, notes, module):
    """Signs of other rows, and what is written for each batch."""
    words = {keyword.arg: keyword.value for keyword in module.job.write[0].keywords}
    signs = Signs(program, notes, getattr(words.get('index'), 'value', True) not in (False, None))
    signs.state = module.job.state and module.job.state.split('.')[1]
    for work in module.busy:
        held = {work.param, work.state} if work.state else work.held | {work.param}
        signs.inspect(work.statements, held, {work.end})
        for statement in work.statements:
            for node in ast.walk(statement):
                if isinstance(node, ast.Call) and getattr(node.func, 'attr', '') in ('to_csv',) + OTHER_WRITES and node is not work.end:
                    notes.look(node, f'{node.func.attr} writes a file in the middle of the work: each batch would replace it. Take it out.')
                elif isinstance(node, ast.Call) and key(node.func) in ('exec', 'eval', 'globals', 'locals', 'vars'):
                    notes.look(node, f'{key(node.func)} reaches names that adopt cannot see. Check that the module has them.')
                elif isinstance(node, (ast.Global, ast.Nonlocal)):
                    notes.look(node, f'{", ".join(node.names)} lives on after the call. Each worker has its own.')
                elif isinstance(node, ast.Call) and program.origin(node.func) in ENDS:
                    notes.look(node, 'It ends the program in the middle of the work. For rowmill it rejects the row.')
            if isinstance(statement, ast.Expr) and not work.touches(statement) and module.needs.may_matter_often(statement.value):
                notes.look(statement, 'It runs for each batch, and ran once in the program. Take it out, or move it to the top of the module.')
            returns = [node for node in ast.walk(statement) if isinstance(node, ast.Return) and program.scope(node) is work.scope]
            for node in returns:
                if work.end is not None:
                    notes.look(node, 'It ends before the write. The command writes OUT in any case.')
    for statements in module.needs.layers.values():
        for statement in statements:
            for node in ast.walk(statement) if not isinstance(statement, FUNCTIONS + (ast.ClassDef,)) else ():
                if isinstance(node, ast.Call) and is_chance(program.origin(node.func) or ''):
                    notes.sign(node, f'{program.origin(node.func)} gives each worker another value.')
    if not module.busy:
        notes.look(module.job.write[0], 'Nothing happens to the frame between read and write.')


def main():
    try:
        answer = adopt(*sys.argv[1:3])
    except Unreadable as error:
        answer = {'unreadable': str(error)}
    json.dump(answer, sys.stdout)


if __name__ == '__main__':
    main()
