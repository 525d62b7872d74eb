"""One reading of bench/read.ts, on one core: prints its seconds, its CPU seconds and its peak memory as JSON.

    python read_once.py pandas|rowmill|columns|given FILE

`columns` is --low-memory. `given` is a call that says every dtype.
"""

import json
import os
import resource
import sys
import tempfile
import time

PARTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../src/classifier/python')
sys.path.insert(0, PARTS)

import pandas as pd  # noqa: E402
import reader_file  # noqa: E402


class Publisher:
    """What reader_file expects of reader.Reader."""

    def note(self, text):
        print(text, file=sys.stderr)

    def counted(self, rows):
        pass


def main():
    way, path = sys.argv[1:]
    if hasattr(os, 'sched_setaffinity'):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu = time.perf_counter(), time.process_time()
    if way == 'pandas':
        rows = len(pd.read_csv(path))
    else:
        request = {'path': path, 'spool': tempfile.gettempdir(), 'lowMemory': way == 'columns'}
        rows = reader_file.learn(Publisher(), request, {'dtype': str} if way == 'given' else {}, {})['total']
    answer = {'rows': rows, 'seconds': time.perf_counter() - wall, 'cpu': time.process_time() - cpu}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    json.dump({**answer, 'peakMB': peak / 1024, 'importedMB': before / 1024}, sys.stdout)


if __name__ == '__main__':
    main()
