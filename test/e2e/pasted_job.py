"""The original program of a test: python pasted_job.py IN OUT CLASSIFIER_FILE FUNCTION READ WRITE"""

import importlib.util
import sys

import pandas as pd

source, target, file, function, read, write = sys.argv[1:]
spec = importlib.util.spec_from_file_location('classifier', file)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
names = {**vars(module), 'pd': pd, 'IN': source, 'OUT': target}
df = eval(read, names)
result = getattr(module, function)(df)
names['df'] = df if result is None else result
eval(write, names)
