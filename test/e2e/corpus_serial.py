"""Runs examples/serial_job.py once for each list of arguments (JSON on standard input), in one process for speed.

Prints a JSON list: for each run null, or what Python raised.
"""

import json
import os
import sys
import warnings

here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[0] = os.path.join(here, '..', 'examples')

import serial_job  # noqa: E402

warnings.simplefilter('ignore')
raised = []
for arguments in json.load(sys.stdin):
    sys.argv[1:] = arguments
    try:
        serial_job.main()
        raised.append(None)
    except Exception as error:
        raised.append(f'{type(error).__name__}: {error}'[:300])
json.dump(raised, sys.stdout)
