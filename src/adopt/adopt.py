"""Reads an old program and tells how rowmill runs its job. Nothing of the program is run or imported.

    python adopt.py PROGRAM MODULE

PROGRAM is a .py or .ipynb file, MODULE the file that a new module would get. Prints one JSON object.
"""

import ast
import json
import os
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from adopt_around import look_around, look_inside  # noqa: E402
from adopt_calls import CallText, file_of  # noqa: E402
from adopt_direct import direct_classifier  # noqa: E402
from adopt_ends import (
    OTHER_READS,
    OTHER_WRITES,
    call_sites,
    find_jobs,
    find_reads,
    find_writes,
    reads_pieces,
    written_value,
)  # noqa: E402
from adopt_module import Module  # noqa: E402
from adopt_modules import Modules, explain_modules  # noqa: E402
from adopt_names import binds, root  # noqa: E402
from adopt_notes import LOOK, SIGN, Notes  # noqa: E402
from adopt_places import Places  # noqa: E402
from adopt_program import Program, Unreadable  # noqa: E402
from adopt_state import find_state_jobs  # noqa: E402


def adopt(path, module_path):
    program = Program(path)
    program.modules = Modules(program)
    notes = Notes(program)
    for line in program.out_of_order:
        notes.look(line, 'This cell ran before the one above it. adopt takes the cells from top to bottom.')
    jobs = find_jobs(program) or find_state_jobs(program)
    if not jobs:
        explain_nothing(program, notes)
        return {'found': None, 'notes': notes.records(), 'done': False}
    job = choose(program, notes, jobs)
    found = describe(program, notes, job, module_path)
    if not is_python(found['module'] or ''):
        text = 'The work cannot be cut out of the loop around it. Put it into a function of the frame, and adopt it again.'
        notes.look(job.start, text)
        found = None
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
            notes.look(
                call,
                'It reads with the csv module. Write a function over a pandas DataFrame that does the same.',
            )
        elif (program.origin(call.func) or '').startswith(('polars.', 'dask.', 'pyspark.', 'modin.', 'cudf.')):
            notes.look(
                call, f'{program.origin(call.func)}: only pandas gives the same bytes. Write the job with pandas first.'
            )
    for call in reads if writes else []:
        notes.look(call, 'The frame is read here, and no to_csv writes it in a way that adopt can follow.')
    for call in writes if reads else []:
        notes.look(
            call,
            f'{program.one_line(call.func.value)} is written here. Cut the work between read and write out by hand.',
        )
    if reads and not writes:
        notes.look(reads[0], 'The frame is read here, but no to_csv writes it.')
    if writes and not reads:
        notes.look(writes[0], 'The frame is written here, but no pd.read_csv reads it.')
    explain_modules(program, notes)
    if not notes.found:
        notes.look(1, 'There is no pd.read_csv and no to_csv in it.')


def choose(program, notes, jobs):
    """The job of the last write, with the first file that it reads. The others are named."""
    last = max(jobs, key=lambda job: (job.write[0].lineno, job.end.lineno, job.end.col_offset))
    own = [job for job in jobs if job.write[0] is last.write[0] and job.end is last.end]
    first = min(
        own,
        key=lambda job: (
            not is_same_variable(program, job),
            job.read[0].lineno,
            job.start.lineno,
            job.start.col_offset,
        ),
    )
    for job in own:
        if job is not first and job.start is not first.start:
            place = program.place(first.start.lineno)
            text = f'It also reads here. adopt takes the file of {place} for the one with the rows.'
            notes.look(job.start, text)
    for write in {job.write[0] for job in jobs} - {last.write[0]}:
        notes.look(
            write,
            'It also writes here. The command writes what the last to_csv writes: make another command for this file.',
        )
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
    """The parts of the command, and the text of the new module or None."""
    module = Module(program, notes, job, find_writes(program))
    look_around(program, notes, job, module)
    places = Places(program, {**only_calls(program), **module.needs.calls})
    read, write = job.read[0], job.write[0]
    read_text, write_text = (CallText(program, notes, places, kind) for kind in ('READ', 'WRITE'))
    source = file_of(places, program, notes, read, 'IN')
    read_call = read_text.read(read, source)
    target = file_of(places, program, notes, write, 'OUT')
    write_call = write_text.write(write, target, reads_pieces(read))
    constants = {**read_text.constants, **write_text.constants}
    needed = [(name, program.scope(read)) for name in read_text.names]
    needed += [(name, program.scope(write)) for name in write_text.names]
    module.need(needed, constants, read_text.values + write_text.values)
    direct = None if constants else direct_classifier(program, job, module, needed)
    module.settle(direct is not None)
    drops_rows = look_inside(program, notes, module)
    text = module.render(constants, os.path.basename(module_path)) if direct is None else None
    return {
        'read': {**place_of(program, read), 'file': source, 'call': read_call},
        'write': {**place_of(program, write), 'file': target, 'call': write_call},
        'classifier': direct or f'{module_path}:{module.name}',
        'rows': 'any' if drops_rows else 'one',
        'module': text,
    }


def is_python(text):
    """Whether the new module can be imported. A `break` may be in it whose loop is not."""
    try:
        compile(text, 'module', 'exec')
    except (SyntaxError, ValueError):
        return False
    return True


def only_calls(program):
    """{function: its call} of the functions that are called once."""
    sites = {function: call_sites(program, function) for function in program.functions}
    return {function: calls[0] for function, calls in sites.items() if len(calls) == 1}


def place_of(program, node):
    return {'line': node.lineno, 'place': program.place(node.lineno)}


def answer():
    try:
        return adopt(*sys.argv[1:3])
    except Unreadable as error:
        return {'unreadable': str(error)}


def main():
    """Answers in a thread with a large stack: each function and branch of a long program takes some of it."""
    sys.setrecursionlimit(100_000)
    threading.stack_size(512 * 1024 * 1024)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(answer()))
    thread.start()
    thread.join()
    if not answers:
        sys.exit(1)
    json.dump(answers[0], sys.stdout)


if __name__ == '__main__':
    main()
