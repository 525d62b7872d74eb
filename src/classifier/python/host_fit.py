"""Names the value of an event that does not fit its column of the file that the job is like (`jobs open --like`).

Every value of a file fits: its publisher proved that. pandas takes others without a word. It makes 1 of `True` in a column
of integers, and True of `1` in a column of booleans. In the file such a value would have changed the dtype of the column.
"""

import re

import numpy as np
import pandas as pd
from host_frame import place
from host_target import HostError

INTEGER = re.compile(r'\s*[+-]?[0-9]+\s*')
TRUE_WORDS, FALSE_WORDS = ('True', 'TRUE', 'true'), ('False', 'FALSE', 'false')
SHOWN = 80

# What a converter may return in a column of each kind of dtype.
RETURNED = {
    'b': (bool, np.bool_),
    'i': (int, np.integer),
    'u': (int, np.integer),
    'f': (int, float, np.integer, np.floating),
}


def check(recipe, columns, seqs):
    """Raises CLASSIFIER_FAILED for the first value that pandas takes although it does not fit. `columns` are cells by column."""
    texts = recipe.replaced_texts(columns)
    for at in recipe.used:
        fits = fitting(recipe, at)
        for index, text in enumerate(texts[at]) if fits else ():
            if text is not None and text not in recipe.missing[at] and not fits(text):
                raise unfit(recipe, at, index, columns, seqs)


def fault(recipe, columns, seqs, error):
    """The error for rows that pandas cannot read. It names the first value that cannot be read alone."""
    texts = recipe.replaced_texts(columns)
    for at in recipe.used:
        for index, text in enumerate(texts[at]):
            try:
                recipe.values({at: [text]}, [at], seqs and [seqs[index]])
            except Exception as own:
                return unfit(recipe, at, index, columns, seqs, own)
    rows, said = place(seqs, len(columns[0])), f'{type(error).__name__}: {" ".join(str(error).split())}'
    return failed(f'pandas cannot read {rows} as the whole file was read: {said}', type=type(error).__name__)


def fitting(recipe, at):
    """A function that says whether a text fits what pandas inferred. None: it inferred nothing, or takes nothing else."""
    rule, dtype, args = recipe.rules[at], recipe.dtypes[at], recipe.args
    if rule['kind'] == 'convert':
        allowed = RETURNED.get(dtype.kind)
        return allowed and (lambda text: is_of(recipe.converter(at)(text), allowed))
    if not rule.get('found'):
        return None
    if isinstance(dtype, pd.CategoricalDtype):
        return lambda text: not recipe.values({at: [text]}, [at], None)[at].isna().any()
    words = {*TRUE_WORDS, *FALSE_WORDS, *(args.get('true_values') or []), *(args.get('false_values') or [])}
    if dtype.kind == 'b':
        return words.__contains__
    if dtype.kind == 'f' and not rule.get('booleans'):
        return lambda text: text not in words
    if dtype.kind in 'iu':
        thousands, limits = args.get('thousands') or '', np.iinfo(getattr(dtype, 'numpy_dtype', dtype))
        return lambda text: is_whole(text.replace(thousands, ''), limits)
    return None


def is_of(value, allowed):
    return isinstance(value, allowed) and isinstance(value, RETURNED['b']) == (allowed is RETURNED['b']) or bool(pd.isna(value))


def is_whole(digits, limits):
    # Python refuses to read an integer of some thousand digits.
    return len(digits) < 1000 and INTEGER.fullmatch(digits) is not None and limits.min <= int(digits) <= limits.max


def unfit(recipe, at, index, columns, seqs, error=None):
    rule, cell = recipe.rules[at], columns[at][index] or ''
    name = rule['keys'][0]
    where = 'the index' if name is None else f'column {name!r}'
    what = f'{place(seqs, len(columns[at]), index)}: {cell[:SHOWN]!r} does not fit {where}, which {described(recipe, at)} in the whole file'
    if rule['kind'] == 'convert' and error:
        what += f' (the converter: {type(error).__name__}: {" ".join(str(error).split())})'
    return failed(f'{what}.', index=index)


def described(recipe, at):
    rule, dtype = recipe.rules[at], recipe.dtypes[at]
    if rule['kind'] == 'date':
        return f'has dates ({dtype})' + (f' in the format {rule["format"]!r}' if rule['format'] else '')
    if isinstance(dtype, pd.CategoricalDtype):
        return 'is a category of other values'
    if rule['kind'] == 'typed':
        return f'has objects of type {" and ".join(dict.fromkeys(kind for _, kind in rule["runs"]))}'
    return f'is {dtype}'


def failed(message, **facts):
    return HostError('CLASSIFIER_FAILED', message, facts)
