"""Learns, cuts and proves a file one column at a time (--low-memory).

The cells of the whole file are cut once and wait in a file without a name. Then pandas reads the file once for each
column, by the call of the original job with this column as `usecols`. So memory is that of the largest column.
"""

import marshal
import tempfile
import types
import warnings

import pandas as pd
from host_recipe import Recipe
from host_target import HostError
from reader_cut import Cut
from reader_learn import Learner
from reader_original import PIECE_ROWS, of_file, passed_on, read_pieces
from reader_prove import assembled, prove

# Rows that skipfooter leaves out may be among the first.
FROM_START = {'iterator': True, 'skipfooter': 0}


def first_rows(path, args):
    """The first rows of a file, or None if all of it takes no memory: there are no rows, or the call gives every dtype."""
    try:
        pieces = read_pieces(path, args)
        if pieces is not None:
            pieces.frames.close()
            return None
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            with pd.read_csv(path, **{**args, **FROM_START}) as frames:
                first = frames.get_chunk(PIECE_ROWS)
    except StopIteration:
        return None
    except Exception as error:
        raise of_file(error, path) from error
    return first if len(first) else None


def learn_columns(reader, path, args, first, spool):
    """Returns (cut, recipe as a dict, number of rows). The rows are in `spool`."""
    try:
        cut = Cut(path, args)
    except Exception as error:
        raise of_file(error, path) from error
    check(cut, args, first)
    cells, total = Cells(spool), 0
    try:
        for columns in pieces_of(cut, path):
            spool.add(columns, total + 2)
            cells.add(columns)
            total += len(columns[0])
            reader.counted(total)
    finally:
        cut.close()
    whole = Learner(first, cut, args)

    def rule(at):
        label = first.columns[at]
        frame = read_column(reader, path, column_args(args, first, cut.places[at], at), label)
        if len(frame) != total:
            raise HostError('READ_DIFFERS', f'column {label!r} has {len(frame)} rows, and its cells give {total}.')
        return learn_column(Learner(frame, only(cut, at), args), cells.column(at), args)

    return cut, whole.made([rule(at) for at in whole.at_columns]), total


def pieces_of(cut, path):
    pieces = cut.pieces(PIECE_ROWS)
    while True:
        try:
            columns = next(pieces, None)
        except HostError:
            raise
        except Exception as error:
            raise of_file(error, path) from error
        if columns is None:
            return
        yield [cells.tolist() for cells in columns]


def check(cut, args, first):
    """Raises USAGE for a call that reads a column otherwise if it reads this column alone."""
    dates = args.get('parse_dates')
    if cut.engine != 'c':
        why = 'the python engine has the lines of the whole file in memory'
    elif args.get('index_col') is not None or cut.lead:
        why = 'the file has an index column'
    elif first.columns.nlevels > 1:
        why = 'the header has several lines'
    elif args.get('on_bad_lines', 'error') != 'error':
        why = 'on_bad_lines leaves out rows by all their columns'
    elif args.get('usecols') is not None and (args.get('names') is not None or not all_texts(dates)):
        why = 'usecols beside names, or beside numbers in parse_dates, counts columns in its own way'
    elif not (all_texts(first.columns) or args.get('names') is None):
        why = 'names has other labels than texts'
    else:
        return
    raise refused(why)


def refused(why):
    return HostError('USAGE', f'--low-memory reads one column at a time, and cannot with this call: {why}. Leave --low-memory out.')


def all_texts(labels):
    return not isinstance(labels, (list, tuple, pd.Index)) or all(isinstance(label, str) for label in labels)


def column_args(args, first, place, at):
    """The arguments of the call for one column."""
    column, dates = {**args, 'usecols': [place]}, args.get('parse_dates')
    if isinstance(dates, (list, tuple)):
        labels = {date if isinstance(date, str) else first.columns[date] for date in dates}
        column['parse_dates'] = [0] if first.columns[at] in labels else None
    return column


def read_column(reader, path, args, label):
    with passed_on(reader, f'pandas, column {label!r}'):
        try:
            frame = pd.read_csv(path, **args)
        except Exception as error:
            said = f'{type(error).__name__}: {" ".join(str(error).split())}'
            raise refused(f'pandas cannot read column {label!r} alone: {said}') from error
    if list(frame.columns) != [label]:
        raise refused(f'pandas reads {list(frame.columns)} for column {label!r} alone')
    return frame


def only(cut, at):
    """What a Learner asks of a cut, for one of its cells."""
    return types.SimpleNamespace(
        engine=cut.engine, lead=0, names=[cut.names[at]], places=[cut.places[at]], index_cells=[], plain=list
    )


def learn_column(learner, pieces, args):
    """The rule of a column, proved with its cells."""
    made = learner.recipe()
    recipe, done = Recipe(made, args), 0
    for texts in pieces:
        count = len(texts)
        part = learner.frame.iloc[done : done + count]
        learner.see([texts], part, recipe)
        prove(assembled(recipe, [texts], count, done), part, done, None)
        done += count
    return made['rules'][0]


class Cells:
    """The texts of each column, piece by piece, in a file without a name."""

    def __init__(self, spool):
        self.spool = spool
        with spool.room():
            self.file = tempfile.TemporaryFile(dir=spool.folder)
        self.pieces = []

    def add(self, columns):
        sizes = []
        with self.spool.room():
            for texts in columns:
                sizes.append((self.file.tell(), self.file.write(marshal.dumps(texts))))
            self.file.flush()
        self.pieces.append(sizes)

    def column(self, at):
        for piece in self.pieces:
            start, size = piece[at]
            self.file.seek(start)
            yield marshal.loads(self.file.read(size))
