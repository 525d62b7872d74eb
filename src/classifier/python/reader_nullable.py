"""Finds cells that pandas reads otherwise in some batches, in columns of the dtypes Int64, Float64 and the like.

One fraction among the texts makes floats of the whole column, before pandas makes the dtype of them. A batch without the
fraction stays whole numbers. The proof sees larger pieces than batches, so it may miss that.
"""

import itertools

import numpy as np
import pandas as pd
from host_recipe import INTEGER
from host_target import HostError
from reader_prove import TEXT_CURE

EXACT = 2**53


class NullableNumbers:
    def __init__(self):
        # By cell: a fraction that was seen, and a whole number that is no float.
        self.fractions, self.large = {}, {}

    def see(self, at, cells, values, missing, inferred):
        """Looks at a piece of a column: its cells, and the values that they have in the whole frame."""
        numbers = values.to_numpy(dtype='float64', na_value=1)
        large = (row for row in np.flatnonzero(np.abs(numbers) >= EXACT) if INTEGER.fullmatch(cells[row]))
        if values.dtype.kind == 'f':
            exact = isinstance(values.dtype, pd.ArrowDtype)  # pyarrow refuses a whole number that is no float
            for row in large:
                if float(cells[row]) != numbers[row] or (exact and not is_float(cells[row])):
                    raise differs(f'{cells[row]!r} is {values[row]} in the whole file, and may be read otherwise in a batch')
        if values.dtype.kind == 'f' or inferred:
            return
        if at not in self.large:
            inexact = (cells[row] for row in large if not is_float(cells[row]))
            self.large.update((at, cell) for cell in itertools.islice(inexact, 1))
        if at not in self.fractions:
            others = (cell for cell in cells if cell is not None and cell not in missing and not INTEGER.fullmatch(cell))
            self.fractions.update((at, cell) for cell in itertools.islice(others, 1))
        if at in self.fractions and at in self.large:
            raise differs(f'{self.fractions[at]!r} makes floats of the column, and {self.large[at]!r} is no float')


def is_float(digits):
    return len(digits) < 400 and int(digits) == float(digits)


def differs(what):
    return HostError('READ_DIFFERS', f'{what}. {TEXT_CURE}.')
