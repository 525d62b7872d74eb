"""Learns, cuts and proves one file (reader.py)."""

import contextlib
import gc
import hashlib
import json
import os
import tempfile

import numpy as np
from host_call import usage
from host_labels import packed
from host_recipe import Recipe
from host_target import HostError
from pandas.io.common import infer_compression
from reader_columns import first_rows, learn_columns
from reader_cut import Cut
from reader_learn import Learner
from reader_original import PIECE_ROWS, Whole, read_original
from reader_prove import assembled, prove

FRAME_BYTES = 256 * 1024

REFUSED = {
    'iterator': 'it reads the file in pieces, and rowmill cuts the batches. Leave it out',
    'chunksize': 'it reads the file in pieces, and rowmill cuts the batches (--batch-rows). Leave it out',
    'storage_options': 'it is for files elsewhere, and rowmill reads a local file. Fetch the file first',
    'squeeze': 'it makes a Series of a single column. Take the column in the classifier',
    'date_parser': 'it gets a whole column at once. Give date_format, or a function in converters',
}
SCHEMES = ('http', 'https', 'ftp', 's3', 's3a', 'gs', 'gcs', 'az', 'abfs', 'abfss', 'hdfs', 'file', 'sftp')


def check_arguments(call, args):
    for name, why in REFUSED.items():
        if args.get(name) not in (None, False):
            raise usage(call.text, 'read', f'{name} is refused: {why}')
    if args.get('engine') in ('pyarrow', 'python-fwf'):
        why = f'engine {args["engine"]!r} has no rows of text to cut. Use engine "c" or "python" in the original job too'
        raise usage(call.text, 'read', why)
    if isinstance(args.get('parse_dates'), dict) or any(isinstance(item, list) for item in listed(args.get('parse_dates'))):
        raise usage(call.text, 'read', 'parse_dates that joins columns is refused: join them in the classifier')


def listed(value):
    return value if isinstance(value, (list, tuple)) else []


def learn(reader, request, args, write):
    path = request['path']
    check_path(path)
    before = identity(path)
    digest, ends = digest_of(path)
    first = first_rows(path, args) if request.get('lowMemory') else None
    original = read_original(reader, path, args) if first is None else None
    spool = Spool(request['spool'])

    def lined(rows):
        # The header and each row take at least one line. If there are no more lines, each takes one.
        return ends == rows + 1 and has_plain_lines(path, args)

    gc.disable()  # it would look at millions of tuples again and again
    try:
        if original is None:
            learned = learned_of(*learn_columns(reader, path, args, first, spool))
        else:
            learned = cut_and_prove(reader, path, args, original, spool, isinstance(original, Whole) and lined(len(original.frame)))
    except HostError:
        raise
    except Exception as error:
        if original is not None:
            original.rest()
        what = f'the cells of {path} cannot be cut: {type(error).__name__}: {" ".join(str(error).split())}. Please report this.'
        raise HostError('READ_DIFFERS', what) from error
    finally:
        gc.enable()
    if identity(path) != before:
        raise HostError('INPUT_CHANGED', f'{path} changed while it was read. Run the command again.')
    reader.spool = spool
    return {**learned, **write, 'digest': digest, 'exactLines': lined(learned['total']), 'longestBytes': spool.longest}


def cut_and_prove(reader, path, args, original, spool, lined):
    cut = Cut(path, args)
    try:
        learner = recipe = None
        known, done = {}, 0
        for columns in cut.pieces(PIECE_ROWS):
            if learner is None:
                learner = Learner(original.frame, cut, args)
                made = learner.recipe()
                recipe = Recipe(made, args)
                known = learner.known(recipe) if isinstance(original, Whole) else {}
                known = known if cut.leave_out(known) else {}
            count, line = len(columns[0]), done + 2
            columns = [known[at][done : done + count] if at in known else cells for at, cells in enumerate(columns)]
            columns = [cells.tolist() for cells in columns]
            part = original.part(done, count)
            learner.see(columns, part, recipe)
            prove(assembled(recipe, columns, count, done), part, done, line if lined else None)
            spool.add(columns, line)
            done += count
            gc.collect(0)  # the parsers of pandas refer to themselves, and so keep their rows
            reader.counted(done)
    finally:
        cut.close()
    if done != original.total(done):
        raise HostError('READ_DIFFERS', f'the whole file gives {original.total(done)} rows, and its cells give {done}.')
    if cut.skipped:
        more = f', and {len(cut.skipped) - 20} more' if len(cut.skipped) > 20 else ''
        reader.note(f'{len(cut.skipped)} rows left out, as on_bad_lines says: {"; ".join(cut.skipped[:20])}{more}')
    if learner is None:
        cut.places = list(range(len(cut.names)))
        learner = Learner(original.frame, cut, args)
        made = learner.recipe()
    return learned_of(cut, made, done)


def learned_of(cut, made, total):
    return {'columns': [header_text(name) for name in cut.names[: len(made['rules'])]], 'recipe': packed(made), 'total': total}


def header_text(name):
    if name is None:
        return ''
    return ' | '.join(map(str, name)) if isinstance(name, tuple) else str(name)


class Spool:
    """The rows of a file in the frames in which they leave, in a file without a name."""

    def __init__(self, folder):
        self.folder = folder
        with self.room():
            self.file = tempfile.TemporaryFile(dir=folder)
        self.longest = 0
        self.encode = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode

    def add(self, columns, line):
        count, step = len(columns[0]), self.rows_of_a_frame(columns)
        for start in range(0, count, step):
            part = [cells[start : start + step] for cells in columns]
            try:
                body = plain_json(part) or self.encode([*map(cells_of, zip(*part))]).encode()
            except UnicodeEncodeError as error:
                what = f'rows {line + start - 2} to {line + start - 3 + len(part[0])} hold a lone surrogate ({ascii(error.object[error.start])})'
                cure = "which is no text. Give encoding_errors='replace', or the encoding of the file, in the original job too"
                raise HostError('INPUT_ENCODING', f'{what}, {cure}.') from error
            body = b'{"line":%d,"rows":%b}' % (line + start, body)
            self.longest = max(self.longest, len(body))
            with self.room():
                self.file.write(len(body).to_bytes(4, 'big'))
                self.file.write(body)
                self.file.flush()

    @contextlib.contextmanager
    def room(self):
        try:
            yield
        except OSError as error:
            what = f'cannot keep the rows in {self.folder}: {error.strerror}. Make room, or name another folder in TMPDIR.'
            raise HostError('OUTPUT_FAILED', what, {'path': self.folder}) from error

    def rows_of_a_frame(self, columns):
        sample = list(zip(*(cells[:200] for cells in columns)))
        return max(1, FRAME_BYTES * len(sample) // len(self.encode(sample)))

    def frames(self):
        self.file.seek(0)
        while True:
            head = self.file.read(4)
            if not head:
                return
            yield head + self.file.read(int.from_bytes(head, 'big'))


def plain_json(columns):
    """The JSON of rows whose texts need no escapes, made much faster than by an encoder. None for other rows."""
    try:
        body = ('[["' + '"],["'.join(map('","'.join, zip(*columns))) + '"]]').encode()
    except TypeError:  # a cell that is no text
        return None
    codes = np.frombuffer(body, dtype='uint8')
    escaped = codes.min() < ord(' ') or b'\\' in body or np.count_nonzero(codes == ord('"')) != 2 * len(columns) * len(columns[0])
    return None if escaped else body


def cells_of(row):
    """The texts of a row of the python engine. A row that ended early is shorter."""
    count = len(row)
    while count and row[count - 1] is None:
        count -= 1
    return ['' if cell is None else cell if type(cell) is str else repr(cell) for cell in row[:count]]


def check_path(path):
    scheme = path.split('://')[0].lower() if '://' in path else ''
    if scheme in SCHEMES:
        raise HostError('USAGE', f'{path} is not a local file: rowmill reads no {scheme}:// URL. Fetch the file first.')


def identity(path):
    try:
        found = os.stat(path)
    except FileNotFoundError as error:
        raise HostError('INPUT_NOT_FOUND', f'{path} does not exist.') from error
    except OSError as error:
        raise HostError('INPUT_UNREADABLE', f'cannot read {path}: {error.strerror}.') from error
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def digest_of(path):
    """The digest of the bytes, and the number of lines if their ends are alike, else None."""
    digest = hashlib.sha256()
    feeds = returns = 0
    last = b'\n'
    with open(path, 'rb') as file:
        for part in iter(lambda: file.read(1 << 20), b''):
            digest.update(part)
            codes = np.frombuffer(part, dtype='uint8')
            feeds += int(np.count_nonzero(codes == ord('\n')))
            returns += int(np.count_nonzero(codes == ord('\r')))
            last = part[-1:]
    lines = feeds + (last != b'\n') if returns in (0, feeds) else None
    return f'sha256:{digest.hexdigest()}', lines


def has_plain_lines(path, args):
    """Whether the bytes of the file show its lines, and its first line is the header."""
    packed = infer_compression(path, args.get('compression', 'infer')) is not None
    header = args.get('header', 'infer' if args.get('names') is None else None)
    return not packed and header in ('infer', 0) and not isinstance(header, bool)
