"""Answers questions about CSV with Python's csv module and pandas, one JSON request and one JSON answer a line."""

import base64
import csv
import io
import json
import sys

import pandas as pd
from pandas._libs.parsers import STR_NA_VALUES

sys.path.insert(0, 'src/classifier/python')
from host_frame import Reader, reads_ranges  # noqa: E402

DEFAULTS = {'index_col': 0, 'dtype': 'str', 'engine': 'python'}
NAMES = {'int64': 'integer', 'uint64': 'unsigned', 'float64': 'float', 'bool': 'boolean', 'str': 'text'}


def records(request):
    """What csv.reader sees, without the records pandas drops."""
    text = io.TextIOWrapper(io.BytesIO(data(request)), encoding='utf-8', newline='')
    reader = csv.reader(text, strict=True, **request['dialect'])
    return [row for row in reader if len(row) > 1 or (row and row[0].strip())]


def serial(request):
    """The frame that the original job made of the whole file."""
    return described(pd.read_csv(io.BytesIO(data(request)), **{**DEFAULTS, **request['readCsv']}))


def batched(request):
    """The same in batches of every requested size, each parsed by the host as in a worker."""
    rows = request['rows']
    answers = []
    for size in request['sizes']:
        reader = Reader(request['columns'], request['indexKind'], request['handedOn'])
        frames = []
        for at in range(0, len(rows), size):
            part = rows[at : at + size]
            frames.append(reader.frame(part, list(range(at, at + len(part)))))
        parts = [described(frame, at == 0) for at, frame in enumerate(frames)]
        answers.append({key: sum((part[key] for part in parts), []) for key in parts[0]})
    return answers


def described(frame, header=True):
    """Everything that a classifier and to_csv can show of a frame: rows as text, types of the index values, bytes."""
    rows = [row for _, row in frame.iterrows()]
    return {
        'text': [str(row) for row in rows],
        'repr': [repr(row) for row in rows],
        'types': [type(name).__name__ for name in frame.index],
        'values': [[repr(value) for value in row] for row in rows],
        'csv': frame.to_csv(header=header, lineterminator='\n').splitlines(keepends=True),
    }


def kind(request):
    text = io.StringIO()
    csv.writer(text).writerows([['ID', 'A'], *([cell, 'x'] for cell in request['cells'])])
    text.seek(0)
    index = pd.read_csv(text, **{**DEFAULTS, **request.get('readCsv', {})}).index
    if isinstance(index, pd.RangeIndex):
        return 'range'
    if len(index) and index.isna().all():
        return 'empty'
    if index.dtype == object and not reads_ranges():
        return 'text'  # pandas before 3 has no dtype of texts
    return NAMES.get(str(index.dtype), str(index.dtype))


def ranges(_):
    return reads_ranges()


def words(_):
    return sorted(STR_NA_VALUES)


def arguments(_):
    import inspect

    return list(inspect.signature(pd.read_csv).parameters)[1:]


def data(request):
    return base64.b64decode(request['data'])


QUESTIONS = {f.__name__: f for f in (records, serial, batched, kind, ranges, words, arguments)}

for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = {'answer': QUESTIONS[request['question']](request)}
    except Exception as error:
        answer = {'error': f'{type(error).__name__}: {error}'}
    print(json.dumps(answer), flush=True)
