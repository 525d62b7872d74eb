"""The classifier of the examples, four times as slow: about 3 ms of CPU time a row where that one takes 0.74."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / 'examples'))
import black_box  # noqa: E402


def classify_df(df):
    for _ in range(3):
        black_box.classify_df(df.copy())
    black_box.classify_df(df)
