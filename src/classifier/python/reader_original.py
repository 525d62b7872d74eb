"""What the call of the original job makes of a file: the whole DataFrame, or one piece after the other."""

import contextlib
import csv
import re
import warnings

import numpy as np
import pandas as pd
from host_target import HostError
from pandas.api import types
from pandas.io.common import infer_compression

# Larger pieces fall out of the caches of the processor, and in smaller ones each call of pandas costs too much.
PIECE_ROWS = 10_000


def read_original(reader, path, args):
    """The DataFrame of the whole file, as Whole or as Pieces. What pandas warns of is passed on."""
    with passed_on(reader, 'pandas'):
        try:
            original = read_pieces(path, args) or Whole(pd.read_csv(path, **args))
        except Exception as error:
            raise of_file(error, path) from error
    return original


@contextlib.contextmanager
def passed_on(reader, of):
    """Passes on what pandas warns of, each text once. Left-out rows are told when the file is cut."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        yield
    for text in dict.fromkeys(str(warning.message).strip() for warning in caught):
        if not text.startswith('Skipping line'):
            reader.note(f'{of}: {text}')


class Whole:
    """The whole DataFrame, in memory as in the original job."""

    def __init__(self, frame):
        self.frame = frame

    def part(self, first, count):
        return self.frame.iloc[first : first + count]

    def total(self, found):
        return len(self.frame)

    def rest(self):
        """Nothing: the file was read to its end."""


class Pieces:
    """A DataFrame of given dtypes, piece by piece. `frame` is the first piece. Its memory does not grow with the file."""

    def __init__(self, path, frames, first):
        self.path, self.frames, self.frame = path, frames, first

    def part(self, first, count):
        return self.frame if first == 0 else self.next()

    def total(self, found):
        return found + len(self.next())

    def rest(self):
        """Reads the rest of the file. Raises what the original job raises."""
        while len(self.next()):
            pass

    def next(self):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')
                return self.frames.get_chunk(PIECE_ROWS)
        except StopIteration:
            return self.frame[:0]
        except Exception as error:
            raise of_file(error, self.path) from error


def read_pieces(path, args):
    """The Pieces of a file, or None if pandas infers something from the whole of it."""
    whole = ('index_col', 'converters', 'parse_dates', 'date_format', 'nrows', 'skipfooter', 'dtype_backend')
    if args.get('dtype') is None or any(name in args for name in whole):
        return None
    frames = pd.read_csv(path, **{**args, 'iterator': True, 'chunksize': None})
    try:
        first = frames.get_chunk(PIECE_ROWS)
        # Without the name of an index column in the header, pandas makes an index of the first columns.
        plain = isinstance(first.index, pd.RangeIndex) and first.columns.nlevels == 1
        if plain and says_all(args['dtype'], first.columns):
            return Pieces(path, frames, first)
    except StopIteration:
        pass
    frames.close()
    return None


def says_all(given, columns):
    """Whether the call says the dtype of every column."""
    if isinstance(given, dict) and not all(label in given for label in columns):
        return False
    dtypes = [types.pandas_dtype(dtype) for dtype in (given.values() if isinstance(given, dict) else [given])]
    return all(getattr(dtype, 'categories', ()) is not None and not is_nullable_number(dtype) for dtype in dtypes)


def is_nullable_number(dtype):
    """Int64, Float32, ...: pandas looks at the whole column for a fraction before it makes numbers of the texts."""
    return not isinstance(dtype, np.dtype) and dtype.kind in 'iuf'


def of_file(error, path):
    """An error of pandas as one of ours. The original job fails in the same way."""
    said = f'{type(error).__name__}: {" ".join(str(error).split())}'
    if isinstance(error, pd.errors.EmptyDataError):
        code = 'INPUT_EMPTY'
    elif isinstance(error, UnicodeError):
        code, said = 'INPUT_ENCODING', f'{said}{bad_line(path, getattr(error, "encoding", "utf-16"))}'
    elif isinstance(error, (pd.errors.ParserError, csv.Error)):
        code = 'INPUT_FIELDS' if 'fields' in said else 'INPUT_QUOTE' if 'string' in said else 'INPUT_UNREADABLE'
    elif isinstance(error, (OSError, EOFError, MemoryError)):
        code = 'INPUT_UNREADABLE'
    else:
        code = 'USAGE'
    return HostError(code, f'pandas cannot read {path} with this call: {said}. The original job fails, too.', {'type': type(error).__name__})


def bad_line(path, encoding):
    """Names the first line with bytes of another encoding, if the lines of the file show in its bytes, and the cure."""
    if infer_compression(path, 'infer') is None and not re.search('16|32', encoding):
        with open(path, 'rb') as file:
            for number, line in enumerate(file, 1):
                try:
                    line.decode(encoding)
                except UnicodeError:
                    likely = 'utf-16' if line[:2] in (b'\xff\xfe', b'\xfe\xff') else 'cp1252'
                    return f'. Line {number} is the first that is not {encoding}. Name the encoding of the file, such as {likely!r}'
    return ''
