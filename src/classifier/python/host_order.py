"""Proves which row each row of a result came from, and that they are in the order of the rows."""

import numpy as np
import pandas as pd
from host_frame import place
from host_result import contract


def order_of(result, index, seqs, job, who):
    """What is known about the order of `result`. `index` is that of the frame which the function got."""
    return (AnyRows if job.rows == 'any' else OneForEach)(result, index, seqs, job, who)


class Order:
    """
    The labels of the index prove the order of the rows. Where they cannot, `is_proved` is false, and `prove` tries more.

    `prove` gets the cells of the result, `call`, which calls the function again with some of the rows and returns its cells,
    and `given`, which makes the frame that the function got once more. It raises an error if nothing proves the order.
    """

    # By row, the number of its rows in the result. None: one for each.
    outputs = None

    def __init__(self, result, index, seqs, job, who):
        self.result = result
        self.index = index
        self.seqs = seqs
        self.who = who
        self.is_written = job.to_csv.get('index', True)
        self.check()

    @property
    def is_numbered(self):
        """Whether the labels are 0, 1, 2, ... and not the index itself: a reset_index after a sort makes the same ones."""
        labels = self.result.index
        return labels is not self.index and len(labels) > 0 and labels.equals(pd.RangeIndex(len(labels)))

    def other_labels(self, advice):
        found, expected = list(self.result.index), list(self.index)
        at = first_difference(found, expected) or 0
        return contract(
            f'{self.who} returned another index: {place(self.seqs, len(expected), at)} has id {expected[at]!r}, '
            f'but the result has {found[at]!r}. {advice}',
            {'index': at},
        )


class OneForEach(Order):
    """The order of a result that has one row for each row."""

    def check(self):
        found, expected = len(self.result), len(self.index)
        if found != expected:
            raise contract(
                f'{self.who} returned {found} rows for {expected} ({place(self.seqs, expected)}). '
                'It must return one row for each row: mark rows in a column instead of dropping them, or give --rows any.',
                {'expected': expected, 'found': found},
            )
        labels = self.result.index
        same = labels is self.index or (labels.equals(self.index) and (self.is_written or not self.is_numbered))
        self.is_proved = same or expected < (1 if self.is_written else 2)
        if not self.is_proved and self.is_sorted():
            raise self.other_labels('The ids are the same in another order: do not sort or shuffle rows.')

    def is_sorted(self):
        """Whether the labels are those that came in, in another order."""
        found, expected = list(self.result.index), list(self.index)
        at = first_difference(found, expected)
        same_type = at is not None and type(found[at]) is type(expected[at])
        return same_type and sorted(map(str, found)) == sorted(map(str, expected))

    def prove(self, cells, call, given):
        # In reverse, without the first: that moves rows, and changes their number.
        other = list(range(len(self.index) - 1, 0, -1)) or [0, 0]
        if not self.is_written and self.keeps_rows_apart(given()):
            return
        # A label that counts the rows of a batch differs, and so does a sort.
        if call(other) != [cells[at] for at in other]:
            raise self.other_labels('Keep the index of the DataFrame: no reset_index, set_index or new ids.')

    def keeps_rows_apart(self, frame):
        """Whether columns of `frame`, which came in, are unchanged, and no two rows have the same values in them."""
        names = list(self.result.columns)
        kept = [name for name in frame.columns if names.count(name) == 1 and self.keeps(frame[name])]
        try:
            return len(kept) > 0 and not frame[kept].duplicated().any()
        except TypeError:  # values that cannot be hashed
            return False

    def keeps(self, column):
        return self.result[column.name].reset_index(drop=True).equals(column.reset_index(drop=True))


class AnyRows(Order):
    """The order of a result that has any number of rows for each row."""

    def check(self):
        count = len(self.index)
        self.outputs = [len(self.result)] if count == 1 else self.trace()
        if count == 1:
            self.is_proved = not self.is_written or self.trace() is not None
        else:
            self.is_proved = self.outputs is not None and (self.is_written or not self.is_numbered)

    def trace(self):
        """By row, how many labels are its own. None: the labels do not tell."""
        labels, index = self.result.index, self.index
        if list(labels.names) != list(index.names) or not index.is_unique:
            return None
        rows = index.get_indexer(labels)
        if (rows < 0).any():
            return None
        if (np.diff(rows) < 0).any():
            raise self.refusal('The ids are in another order: do not sort or shuffle rows.')
        return np.bincount(rows, minlength=len(index)).tolist()

    def prove(self, cells, call, given):
        alone = [self.alone(at, call) for at in range(len(self.index))]
        if [row for rows in alone for row in rows] != cells:
            raise self.refusal(
                'Nor do these rows have the same results one by one: keep the index of the DataFrame, do not sort, and '
                'look at one row at a time.'
            )
        self.outputs = [len(rows) for rows in alone]

    def alone(self, at, call):
        """The cells of one row. Labels that are written must be the same when the row is there twice: not 0, 1, 2, ..."""
        if not self.is_written:
            return call([at])
        twice = call([at, at])
        half = twice[: len(twice) // 2]
        if twice != [*half, *half]:
            raise self.refusal('Keep the index of the DataFrame: no reset_index, set_index or new ids.')
        return half

    def refusal(self, advice):
        where = place(self.seqs, len(self.index))
        return contract(
            f'the index that {self.who} returned for {where} does not say which row each row came from. {advice}'
        )


def first_difference(found, expected):
    return next((at for at, pair in enumerate(zip(found, expected)) if pair[0] != pair[1]), None)
