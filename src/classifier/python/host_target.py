"""Finds and imports the user's function. Reports errors with the lines of the user's own code."""

import difflib
import hashlib
import importlib
import importlib.machinery
import importlib.util
import os
import sys
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
DEFAULT_NAME = 'classify_df'
MESSAGE_CHARACTERS = 4000
TRACE_FRAMES = 20


class HostError(Exception):
    """An error to report to the parent: a code of errors.ts, a message for people, facts for programs."""

    def __init__(self, code, message, facts=None):
        super().__init__(message)
        self.record = {'code': code, 'message': message, 'facts': facts or {}}


def error_record(error, code, what):
    """Returns `error` as a record: a HostError as it is, any other with `code` and the lines of the user's code."""
    if isinstance(error, HostError):
        return error.record
    try:
        text = ''.join(traceback.format_exception_only(type(error), error)).strip()[:MESSAGE_CHARACTERS]
    except Exception:
        text = type(error).__name__
    text += hint_on(error, code)
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if is_users(frame.filename)]
    trace = ''.join(traceback.format_list(own[-TRACE_FRAMES:])).rstrip()
    facts = {'type': type(error).__name__}
    if own:
        facts.update(file=own[-1].filename, line=own[-1].lineno)
    return {'code': code, 'message': f'{what}: {text}' + (f'\n{trace}' if trace else ''), 'facts': facts}


def hint_on(error, code):
    """What to do about an error that old programs often meet when they are imported, or empty text."""
    if isinstance(error, NameError) and 'get_ipython' in str(error):
        return '. Only IPython has it, and `python FILE` would fail here too: remove the lines that call it.'
    if isinstance(error, ImportError) and 'no known parent package' in str(error):
        return '. Name the module instead of its file: --classifier package.module:NAME, from the folder of the package.'
    if isinstance(error, SystemExit) and code == 'CLASSIFIER_UNLOADABLE':
        return ". The file ended the program. Put what reads the command line below `if __name__ == '__main__':`."
    return ''


def is_users(filename):
    """Whether a frame of a traceback is outside the host, the import machinery, pandas and numpy."""
    if filename.startswith('<frozen ') or filename.endswith('.pyx'):
        return False
    folder, file = os.path.split(os.path.abspath(filename))
    if folder == HERE and file.startswith(('host', 'reader')):
        return False
    foreign = [sys.modules.get(name) for name in ('importlib', 'pandas', 'numpy')]
    return not any(
        module and f'{folder}{os.sep}'.startswith(os.path.dirname(module.__file__) + os.sep) for module in foreign
    )


def find_target(target):
    """
    Returns (file path or module name, NAME, folder for sys.path) of FILE[:NAME] or package.module:NAME.

    NAME may be the method of an object, such as model.predict.
    """
    place, colon, name = target.rpartition(':')
    if not colon or not is_dotted(name):
        place, name = target, DEFAULT_NAME
    path = os.path.abspath(place)
    if os.path.isfile(path):
        return path, name, os.path.dirname(path)
    if not place.endswith('.py') and is_dotted(place):
        return place, name, os.getcwd()
    folder, file = os.path.split(path)
    what = 'is a directory' if os.path.isdir(path) else 'does not exist'
    files = os.listdir(folder) if os.path.isdir(folder) else []
    near = near_names(file, [entry for entry in files if entry.endswith('.py')])
    raise not_found(f'classifier file {place} {what} (looked in {folder}).{near}')


def is_dotted(name):
    return all(part.isidentifier() for part in name.split('.'))


def near_names(name, names):
    near = difflib.get_close_matches(name, names, 3, 0.5) or sorted(names)[:5]
    return f' There is {", ".join(near)}.' if near else ''


def not_found(message):
    return HostError('CLASSIFIER_NOT_FOUND', f'{message} Give --classifier FILE.py[:NAME] or package.module:NAME.')


def load_function(place, name):
    """Returns (function, SHA-256 of its file, its module). `place` is an absolute path or a module name."""
    module, source = run_file(place) if os.path.isabs(place) else import_by_name(place)
    function = module
    for part in name.split('.'):
        function = getattr(function, part, None)
    if isinstance(function, type):
        raise not_found(f'{place} has {name}, which is a class. Name an object of it, such as NAME = {name}().')
    if not callable(function):
        own = [key for key, value in vars(module).items() if callable(value) and not key.startswith('_')]
        what = f'has no function {name}' if function is None else f'has {name}, which is not a function'
        raise not_found(f'{place} {what}.{near_names(name, own)}')
    return function, hashlib.sha256(source).digest(), module


def run_file(path):
    """
    Runs FILE as `python FILE` would, except that `__name__` is not '__main__'.

    sys.modules has it as '__main__' too: a model that the original program pickled names its classes so, and
    multiprocessing looks there for the file that a new process must import.
    """
    name = os.path.splitext(os.path.basename(path))[0]
    if name in sys.modules or not name.isidentifier():
        name = '_rowmill_classifier'
    sys.argv[:] = [path]
    with open(path, 'rb') as file:
        source = file.read()
    loader = importlib.machinery.SourceFileLoader(name, path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    # Registered before it runs: dataclasses and pickle look the module up by name.
    sys.modules[name] = sys.modules['__main__'] = module
    # As for `python FILE`: with a spec, multiprocessing would look for a module of that name.
    module.__spec__ = None
    # Compiled here, since the loader would leave a __pycache__ beside the user's file.
    exec(compile(source, path, 'exec', dont_inherit=True), vars(module))
    return module, source


def import_by_name(name):
    sys.argv[:] = [name]
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        # Only if a part of `name` is missing. A module that the user's code imports may be missing too.
        if error.name and f'{name}.'.startswith(f'{error.name}.'):
            raise not_found(f'there is no file and no module {name} (looked in {os.getcwd()}).') from error
        raise
    if not getattr(module, '__file__', None):
        return module, name.encode()
    with open(module.__file__, 'rb') as file:
        return module, file.read()
