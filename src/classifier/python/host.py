"""The child process of PythonClassifier (python.ts): imports the user's function once, then answers batch by batch.

    python host.py PARENT_PID TARGET [MEGABYTES]
    python host.py PARENT_PID TARGET SOCKET       a fork server (host_forks.py), which makes such processes

Descriptor 3 brings requests and descriptor 4 takes answers. Descriptor 5 is the life-line: nobody writes to it, and its
end means that the parent is gone. Standard output and error belong to the user's code.

A frame is a length in bytes (4 bytes, big endian) followed by UTF-8 JSON of that length. The first answer is
{"begun": true}. The second comes after the imports: {"hello": ...} or {"error": ...}. A request is two frames: the job
{columns, indexKind, readCsv, toCsv, unlabelled, casts, encoding, rows} and the batch {rows, seqs}. With {recipe, readCall} in the job,
`indexKind` is not looked at, and with {like} a value may not fit. With {writeCall}, its arguments that are no JSON are looked up
in the user's module. The answer
is {columns, kinds, rows} or {"error": {code, message, facts}}. With rows 'any' it also has outputs: by row, the number of
its output rows. Answers come in the order of their requests.
"""

import csv
import gc
import hashlib
import importlib.util
import inspect
import io
import json
import os
import re
import signal
import sys
import types

HERE = os.path.dirname(os.path.abspath(__file__))
OLDEST_PYTHON = (3, 8)
OLDEST_PANDAS = (1, 5)
# The host keeps what it derived from the headers of this many jobs.
KEPT_JOBS = 16
# The arguments of to_csv that decide what the cells are.
SHAPING = ('na_rep', 'float_format', 'date_format', 'decimal', 'columns', 'header', 'index_label')


def main():
    # Ctrl-C reaches every process of the terminal. The parent decides when this one ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    host = Host(sys.argv[2])
    if len(sys.argv) > 3 and not sys.argv[3].isdigit():
        serve_forks(host, sys.argv[3])
    parent, target = int(sys.argv[1]), sys.argv[2]
    channel = host_channel.Channel(3, 4)
    channel.send({'begun': True})
    host_process.watch_parent(5)
    host_process.keep_open(3, 4, 5)
    if len(sys.argv) > 3:
        host_process.limit_memory(int(sys.argv[3]))
    try:
        hello = host.start()
    except BaseException as error:
        what = f'classifier {target} cannot be imported'
        channel.send({'error': host_target.error_record(error, 'CLASSIFIER_UNLOADABLE', what)})
        host_process.flush_output()
        os._exit(1)
    host_process.die_with(parent)
    host_process.flush_output()
    channel.send({'hello': hello})
    while True:
        answer = host.answer(channel.receive(), channel.receive())
        host_process.flush_output()
        channel.send(answer)


def serve_forks(host, path):
    """Returns in each process that the fork server forked, which then is as one that was started by itself."""
    channel = host_channel.Channel(3, 4)
    channel.send({'begun': True})
    # Its parent may end while it is stopped. Then it continues, and its life-line ends it.
    host_process.die_with(int(sys.argv[1]), signal.SIGCONT)
    forks = load_beside('host_forks')
    if not forks.prepared(host.prepare):
        os._exit(1)
    server = forks.Server(path, host_process.die_with)
    gc.freeze()
    channel.send({'ready': True})
    args = server.serve()
    # From here on `parent` is the fork server.
    for words in (sys.argv, getattr(sys, 'orig_argv', [])):
        words[-3:] = [str(os.getppid()), *args]


class Host:
    """The user's function, and what was derived for each job that it serves."""

    def __init__(self, target):
        self.target = target
        self.function = None
        self.module = None
        self.pandas = None
        self.jobs = {}
        self.loop = None

    def start(self):
        """Imports pandas and the user's function. Returns what the parent must know about them."""
        if self.pandas is None:
            self.prepare()
        place, name, _ = host_target.find_target(self.target)
        self.pandas.cells.catch_cells()
        self.function, digest, self.module = host_target.load_function(place, name)
        # Modules stay loaded: the collector need not scan them each time.
        gc.freeze()
        return describe(digest)

    def prepare(self):
        """Imports pandas, and nothing of the user. Returns the folder of the user's code."""
        folder = host_target.find_target(self.target)[2]
        # Set as `python FILE` sets it, unless PYTHONSAFEPATH told the interpreter not to.
        if sys.path and os.path.abspath(sys.path[0]) == HERE:
            sys.path[0] = folder
        self.pandas = import_pandas()
        return folder

    def answer(self, job, batch):
        """Returns the answer to one request. Any exception of the user's code becomes an answer too."""
        rows, seqs = [], None
        try:
            known = self.jobs.get(job) or self.learn(job)
            request = json.loads(batch)
            rows, seqs = request['rows'], request['seqs']
            return self.classify(known, rows, seqs)
        except BaseException as error:
            what = f'classifier {self.target} failed on {self.pandas.frame.place(seqs, len(rows))}'
            record = host_target.error_record(error, 'CLASSIFIER_FAILED', what)
            facts = {'rows': len(rows), **record['facts']}
            if seqs:
                facts.update(seqFirst=seqs[0], seqLast=seqs[-1])
            return {'error': {**record, 'facts': facts}}

    def learn(self, job):
        given = json.loads(job)
        if len(self.jobs) >= KEPT_JOBS:
            self.jobs.clear()
        self.pandas.result.check_casts(given['casts'])
        encoding = given.get('encoding')
        if encoding:
            self.pandas.cells.check_codec(encoding)
        self.jobs[job] = types.SimpleNamespace(
            reader=self.reader(given),
            to_csv=self.to_csv(given),
            casts=given['casts'],
            unlabelled=given.get('unlabelled'),
            encoding=encoding,
            rows=given.get('rows'),
        )
        return self.jobs[job]

    def reader(self, given):
        """What makes the DataFrames of a job: its recipe, which was learned from the whole file, or a Reader."""
        if not given.get('recipe'):
            return self.pandas.frame.Reader(given['columns'], given['indexKind'], given['readCsv'])
        calls = self.pandas.call
        read = given.get('readCall')
        call = calls.parse_call(read, 'read') if read else calls.from_json(given['readCsv'], 'read')
        args = call.resolve(self.module, 'CLASSIFIER_NOT_FOUND')
        return self.pandas.recipe.Recipe(self.pandas.labels.unpacked(given['recipe']), args, events=given.get('like') is not None)

    def to_csv(self, given):
        """The arguments that shape cells: those in JSON, and those of the write call that are none, such as a function."""
        if not given.get('writeCall'):
            return given['toCsv']
        values = self.pandas.call.parse_call(given['writeCall'], 'write').resolve(self.module, 'CLASSIFIER_NOT_FOUND')
        _, names = self.pandas.call.to_json(values)
        return {**given['toCsv'], **{name: values[name] for name in names if name in SHAPING}}

    def classify(self, job, rows, seqs):
        result, index = self.call(job, rows, seqs)
        order = self.pandas.order.order_of(result, index, seqs, job, f'classifier {self.target}')
        answer = self.written(result, job, len(rows))
        if not order.is_proved:

            def call_again(places):
                again, _ = self.call(job, [rows[at] for at in places], [seqs[at] for at in places] if seqs else None)
                return self.written(again, job, len(places))['rows']

            order.prove(answer['rows'], call_again, lambda: job.reader.frame(rows, seqs))
        return answer if order.outputs is None else {**answer, 'outputs': order.outputs}

    def call(self, job, rows, seqs):
        """Returns what the user's function makes of these rows, and the index that it got."""
        frame = job.reader.frame(rows, seqs)
        index = frame.index
        result = self.function(frame)
        if inspect.isawaitable(result):
            # One loop for all calls: what an async function keeps between calls belongs to its loop.
            self.loop = self.loop or importlib.import_module('asyncio').new_event_loop()
            result = self.loop.run_until_complete(result)
        where = self.pandas.frame.place(seqs, len(rows))
        shaped = self.pandas.result.shaped(frame if result is None else result, where, f'classifier {self.target}')
        return shaped, index

    def written(self, result, job, count):
        """Returns the columns, kinds and cells that to_csv makes of `result`, for which the function got `count` rows."""
        options = dict(job.to_csv)
        if options.get('columns') is not None:
            result = self.pandas.result.select_columns(result, options.pop('columns'))
        if job.casts:
            result = self.pandas.result.cast_columns(result, job.casts)
        if job.unlabelled:
            self.pandas.cells.check_one_level(result)
        columns, cells = self.pandas.cells.write_cells(result, options)
        if job.encoding:
            self.pandas.cells.check_encoding(columns, cells, job.encoding)
        return {'columns': columns, 'kinds': self.pandas.kinds.kinds_of(result, cells, options, count), 'rows': cells}


def import_pandas():
    """Imports pandas and the modules here that need it."""
    if sys.version_info < OLDEST_PYTHON:
        raise unusable('is too old: rowmill needs Python 3.8 or later')
    collects = gc.isenabled()
    gc.disable()  # nearly all that the import makes stays: to look for garbage in it takes a seventh of the start
    try:
        import pandas
    except Exception as error:
        raise unusable(f'cannot import pandas ({type(error).__name__}: {error})') from error
    finally:
        gc.freeze()
        if collects:
            gc.enable()
    version = re.match(r'(\d+)\.(\d+)', pandas.__version__)
    if version and tuple(map(int, version.groups())) < OLDEST_PANDAS:
        raise unusable(f'has pandas {pandas.__version__}: rowmill needs pandas 1.5 or later')
    names = ('frame', 'result', 'order', 'cells', 'kinds', 'names', 'call', 'labels', 'texts', 'fit', 'recipe')
    return types.SimpleNamespace(**{name: load_beside(f'host_{name}') for name in names})


def unusable(what):
    python = f'{sys.executable} (Python {sys.version.split()[0]})'
    advice = 'Install pandas for it, or name another interpreter with --python PATH.'
    return host_target.HostError('PYTHON_UNUSABLE', f'{python} {what}. {advice}', {'python': sys.executable})


def describe(digest):
    import pandas

    text = io.StringIO()
    # As in to_csv, the line end has no carriage return: characters of the line end are always quoted.
    csv.writer(text, lineterminator='\n').writerow(['a\rb'])
    python = '.'.join(map(str, sys.version_info[:3]))
    fingerprint = hashlib.sha256(digest + f'\0{python}\0{pandas.__version__}'.encode()).hexdigest()[:16]
    return {
        'python': python,
        'pandas': pandas.__version__,
        'fingerprint': fingerprint,
        'quotesCarriageReturn': text.getvalue().startswith('"'),
    }


def load_beside(name):
    """
    Loads a module from this folder by path. The folder is not on sys.path, and sys.modules has its modules only while one
    of them is loaded: otherwise they could hide modules of the user that have the same names.
    """
    spec = importlib.util.spec_from_file_location(name, os.path.join(HERE, f'{name}.py'))
    module = OWN[name] = importlib.util.module_from_spec(spec)
    users = {own: sys.modules[own] for own in OWN if own in sys.modules}
    sys.modules.update(OWN)
    try:
        spec.loader.exec_module(module)
    finally:
        for own in OWN:
            del sys.modules[own]
        sys.modules.update(users)
    return module


# The modules of this folder, by name.
OWN = {}
host_channel = load_beside('host_channel')
host_process = load_beside('host_process')
host_target = load_beside('host_target')

if __name__ == '__main__':
    main()
