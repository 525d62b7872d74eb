"""The child process of PythonClassifier (python.ts): imports the user's function once, then answers batch by batch.

    python host.py PARENT_PID TARGET [MEGABYTES]

Descriptor 3 brings requests and descriptor 4 takes answers. Descriptor 5 is the life-line: nobody writes to it, and its
end means that the parent is gone. Standard output and error belong to the user's code.

A frame is a length in bytes (4 bytes, big endian) followed by UTF-8 JSON of that length. The first answer is
{"begun": true}. The second comes after the imports: {"hello": ...} or {"error": ...}. A request is two frames: the job
{columns, indexKind, readCsv, toCsv, casts, encoding} and the batch {rows, seqs}. With {recipe, readCall} in the job,
`indexKind` is not looked at. With {writeCall}, its arguments that are no JSON are looked up in the user's module. The answer
is {columns, kinds, rows} or {"error": {code, message, facts}}. Answers come in the order of their requests.
"""

import csv
import gc
import hashlib
import importlib.util
import io
import json
import os
import re
import signal
import sys
import threading
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
    parent, target = int(sys.argv[1]), sys.argv[2]
    channel = Channel(3, 4)
    channel.send({'begun': True})
    watch_parent(5)
    if len(sys.argv) > 3:
        limit_memory(int(sys.argv[3]))
    host = Host(target)
    try:
        hello = host.start()
    except BaseException as error:
        what = f'classifier {target} cannot be imported'
        channel.send({'error': host_target.error_record(error, 'CLASSIFIER_UNLOADABLE', what)})
        flush_output()
        os._exit(1)
    die_with(parent)
    flush_output()
    channel.send({'hello': hello})
    while True:
        answer = host.answer(channel.receive(), channel.receive())
        flush_output()
        channel.send(answer)


def limit_memory(megabytes):
    """Lets allocations beyond the limit fail with MemoryError. Linux counts all private memory; other systems count less."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = megabytes << 20
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)))


def watch_parent(descriptor):
    """Ends this process when the parent ends, even in the middle of a long call."""
    os.set_inheritable(descriptor, False)

    def wait():
        while os.read(descriptor, 1):
            pass
        os._exit(1)

    threading.Thread(target=wait, name='rowmill-life-line', daemon=True).start()


def die_with(parent):
    """Lets the kernel (Linux) end this process too: the life-line waits while native code holds the interpreter lock."""
    if not sys.platform.startswith('linux'):
        return
    import ctypes

    parent_death_signal = 1  # PR_SET_PDEATHSIG, prctl(2)
    try:
        ctypes.CDLL(None).prctl(parent_death_signal, signal.SIGKILL, 0, 0, 0)
    except (AttributeError, OSError):
        return
    # If the parent died before the call, no signal will come.
    if os.getppid() != parent:
        os._exit(1)


def flush_output():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, ValueError, OSError):
            pass


class Channel:
    """Frames in, frames out. The parent always reads, so an answer never waits for the next request."""

    def __init__(self, requests, answers):
        os.set_inheritable(requests, False)
        os.set_inheritable(answers, False)
        self.input = open(requests, 'rb', buffering=1 << 18)
        self.output = answers
        self.owner = os.getpid()
        self.encode = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode

    def receive(self):
        """Returns the bytes of the next frame. The end of the channel ends the process."""
        head = self.input.read(4)
        length = int.from_bytes(head, 'big')
        body = self.input.read(length)
        if len(head) < 4 or len(body) < length:
            os._exit(0)
        return body

    def send(self, answer):
        try:
            body = self.encode(answer).encode()
        except UnicodeEncodeError:
            body = self.encode({'error': surrogate_error(answer)}).encode('utf-8', 'backslashreplace')
        # If the user's code forked and the child came back here, the child must not answer too.
        if os.getpid() != self.owner:
            os._exit(1)
        self.write(len(body).to_bytes(4, 'big') + body)

    def write(self, frame):
        frame = memoryview(frame)
        try:
            while frame:
                frame = frame[os.write(self.output, frame) :]
        except BrokenPipeError:
            os._exit(0)


def surrogate_error(answer):
    """Names the cell that is not valid Unicode. An error record passes as it is: send() escapes its surrogates."""
    if 'error' in answer:
        return answer['error']
    for row in [answer['columns'], *answer['rows']]:
        for column, cell in zip(answer['columns'], row):
            if re.search('[\ud800-\udfff]', cell):
                shown = ascii(column), ascii(cell[:80])
                message = f'column {shown[0]} holds {shown[1]}: a lone surrogate is no text and cannot be written.'
                return {'code': 'CLASSIFIER_CONTRACT', 'message': message, 'facts': {'column': shown[0]}}
    raise AssertionError('no lone surrogate')


class Host:
    """The user's function, and what was derived for each job that it serves."""

    def __init__(self, target):
        self.target = target
        self.function = None
        self.module = None
        self.pandas = None
        self.jobs = {}

    def start(self):
        """Imports pandas and the user's function. Returns what the parent must know about them."""
        place, name, folder = host_target.find_target(self.target)
        # Set as `python FILE` sets it, unless PYTHONSAFEPATH told the interpreter not to.
        if sys.path and os.path.abspath(sys.path[0]) == HERE:
            sys.path[0] = folder
        self.pandas = import_pandas()
        self.pandas.cells.catch_cells()
        self.function, digest, self.module = host_target.load_function(place, name)
        # Modules stay loaded: the collector need not scan them each time.
        gc.freeze()
        return describe(digest)

    def answer(self, job, batch):
        """Returns the answer to one request. Any exception of the user's code becomes an answer too."""
        rows, seqs = [], None
        try:
            reader, *options = self.jobs.get(job) or self.learn(job)
            request = json.loads(batch)
            rows, seqs = request['rows'], request['seqs']
            return self.classify(reader.frame(rows, seqs), seqs, *options)
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
        self.jobs[job] = self.reader(given), self.to_csv(given), given['casts'], encoding
        return self.jobs[job]

    def reader(self, given):
        """What makes the DataFrames of a job: its recipe, which was learned from the whole file, or a Reader."""
        if not given.get('recipe'):
            return self.pandas.frame.Reader(given['columns'], given['indexKind'], given['readCsv'])
        calls = self.pandas.call
        read = given.get('readCall')
        call = calls.parse_call(read, 'read') if read else calls.from_json(given['readCsv'], 'read')
        return self.pandas.recipe.Recipe(json.loads(given['recipe']), call.resolve(self.module, 'CLASSIFIER_NOT_FOUND'))

    def to_csv(self, given):
        """The arguments that shape cells: those in JSON, and those of the write call that are none, such as a function."""
        if not given.get('writeCall'):
            return given['toCsv']
        values = self.pandas.call.parse_call(given['writeCall'], 'write').resolve(self.module, 'CLASSIFIER_NOT_FOUND')
        _, names = self.pandas.call.to_json(values)
        return {**given['toCsv'], **{name: values[name] for name in names if name in SHAPING}}

    def classify(self, frame, seqs, to_csv, casts, encoding):
        index = frame.index
        result = self.function(frame)
        if result is None:
            result = frame
        self.pandas.result.check_result(result, index, seqs, f'classifier {self.target}')
        options = dict(to_csv)
        if options.get('columns') is not None:
            result = self.pandas.result.select_columns(result, options.pop('columns'))
        if casts:
            result = self.pandas.result.cast_columns(result, casts)
        columns, cells = self.pandas.cells.write_cells(result, options)
        if encoding:
            self.pandas.cells.check_encoding(columns, cells, encoding)
        return {'columns': columns, 'kinds': self.pandas.kinds.kinds_of(result, cells, options), 'rows': cells}


def import_pandas():
    """Imports pandas and the modules here that need it."""
    if sys.version_info < OLDEST_PYTHON:
        raise unusable('is too old: rowmill needs Python 3.8 or later')
    try:
        import pandas
    except Exception as error:
        raise unusable(f'cannot import pandas ({type(error).__name__}: {error})') from error
    version = re.match(r'(\d+)\.(\d+)', pandas.__version__)
    if version and tuple(map(int, version.groups())) < OLDEST_PANDAS:
        raise unusable(f'has pandas {pandas.__version__}: rowmill needs pandas 1.5 or later')
    names = ('frame', 'result', 'cells', 'kinds', 'names', 'call', 'labels', 'texts', 'recipe')
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
    """Loads a module from this folder by path: the folder is not on sys.path, where it could hide the user's modules."""
    spec = importlib.util.spec_from_file_location(name, os.path.join(HERE, f'{name}.py'))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


host_target = load_beside('host_target')

if __name__ == '__main__':
    main()
