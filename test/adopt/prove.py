"""Runs old programs, and beside each of them what rowmill adopt made of it, over the whole file, and compares the bytes.

Standard input: JSON [{program, arguments, read, write, classifier, input, output}], one folder with the data as the working
directory. Standard output: JSON [null or what differs], in the same order. Each runs in a process of its own.
"""

import asyncio
import importlib.util
import inspect
import io
import json
import os
import runpy
import sys
import traceback

import pandas as pd

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', '..', 'src', 'classifier', 'python'))

from host_call import parse_call  # noqa: E402


def in_child(function):
    """The text that `function` returns in a child process, or the last line of its exception."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        sys.stdout = io.StringIO()
        try:
            text = function() or ''
        except BaseException:
            text = 'raised: ' + traceback.format_exc()
        with open(write_end, 'w') as answer:
            answer.write(text)
        os._exit(0)
    os.close(write_end)
    with open(read_end) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return text


def run_old(case):
    sys.argv[:] = [case['program']] + case['arguments']
    sys.path.insert(0, '.')
    if case['program'].endswith('.ipynb'):
        with open(case['program']) as file:
            cells = [''.join(cell['source']) for cell in json.load(file)['cells'] if cell['cell_type'] == 'code']
        lines = [
            line
            for cell in cells
            for line in cell.split('\n')
            if not line.startswith(('%', '!')) and not line.endswith('?')
        ]
        exec('\n'.join(lines), {'__name__': '__main__'})
        return
    try:
        runpy.run_path(case['program'], {'get_ipython': lambda: Shell()}, '__main__')
    except SystemExit as end:
        assert not end.code, end.code


class Shell:
    def run_line_magic(self, *words):
        pass


def run_adopted(case):
    """What a worker does with the whole file as one batch."""
    place, name = case['classifier'].rsplit(':', 1)
    sys.path.insert(0, '.')
    sys.argv[:] = [place]
    spec = importlib.util.spec_from_file_location('adopted', place)
    module = importlib.util.module_from_spec(spec)
    sys.modules['adopted'] = module
    spec.loader.exec_module(module)
    read, write = parse_call(case['read'], 'read'), parse_call(case['write'], 'write')
    frame = pd.read_csv(case['input'], **read.resolve(module))
    result = getattr(module, name)(frame)
    if inspect.isawaitable(result):
        result = asyncio.run(result)
    result = frame if result is None else result
    result.to_csv('adopted-out', **write.resolve(module))


def prove(case):
    for file in (case['output'], 'adopted-out'):
        if os.path.exists(file):
            os.remove(file)
    failed = in_child(lambda: run_old(case))
    if failed:
        return f'the old program {failed}'
    failed = in_child(lambda: run_adopted(case))
    if failed:
        return f'the adopted job {failed}'
    with open(case['output'], 'rb') as old, open('adopted-out', 'rb') as new:
        expected, found = old.read(), new.read()
    return None if expected == found and expected else f'{found!r} instead of {expected!r}'


print(json.dumps([prove(case) for case in json.load(sys.stdin)]))
