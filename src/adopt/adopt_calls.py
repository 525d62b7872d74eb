"""The text of `--read` and `--write`: the calls of the program, with IN and OUT for the files."""

import ast
import os

from adopt_ends import reads_pieces
from adopt_names import FUNCTIONS, arguments, changes, key, root
from adopt_places import Unknown

TYPES = ('str', 'int', 'float', 'bool', 'object', 'complex')
MAKERS = ('pandas.CategoricalDtype', 'pandas.StringDtype', 'numpy.dtype', 'dict', 'range', 'slice', 'functools.partial')
LIBRARIES = {'pandas': 'pd', 'numpy': 'np', 'csv': 'csv'}
SHORT = 40


class CallText:
    """Makes the text of one call. The module of the classifier must have `names`, and gets `constants`."""

    def __init__(self, program, notes, places, kind):
        self.program, self.notes, self.places, self.kind = program, notes, places, kind
        self.names = set()
        self.constants = {}
        self.values = []  # the expressions in the text

    def read(self, call, path):
        words = self.words(call, ('filepath_or_buffer',), ('sep',))
        if self.program.origin(call.func).endswith('read_table') and not {'sep', 'delimiter'} & set(words):
            words['sep'] = "'\\t'"
        if reads_pieces(call):
            dropped = [words.pop(name) and f'{name}=' for name in ('chunksize', 'iterator') if name in words]
            text = f'It reads the file in pieces ({", ".join(dropped)}), and pandas infers dtypes for each piece. '
            self.notes.look(call, text + 'rowmill reads it as one frame: numbers may be written in another way.')
        self.add_opened(
            words, self.places.opened if path else None, {'encoding': 'encoding', 'errors': 'encoding_errors'}
        )
        return f'pd.read_csv({joined("IN", words)})'

    def write(self, call, path, in_pieces):
        left_out = ('mode', 'header') if in_pieces else ()
        words = self.words(
            call, ('path_or_buf', 'path') + left_out, ('sep', 'na_rep', 'float_format', 'columns', 'header', 'index')
        )
        if any(keyword.arg in left_out for keyword in call.keywords):
            self.notes.look(
                call, 'It writes in pieces: mode= and header= are left out, because OUT is one file with one header.'
            )
        opened = self.places.opened if path else None
        self.add_opened(words, opened, {'encoding': 'encoding', 'errors': 'errors'})
        mode = self.mode_of(opened)
        if mode[:1] in ('a', 'x') and 'mode' not in words:
            words['mode'] = repr(mode[0])
        return f'df.to_csv({joined("OUT", words)})'

    def words(self, call, path_names, positional):
        """{argument: text} of a call, without the path."""
        words = {}
        for name, value in zip(positional, call.args[1:]):
            words[name] = self.text(name, value)
        if len(call.args) - 1 > len(positional) or any(isinstance(arg, ast.Starred) for arg in call.args):
            self.notes.look(call, 'It gives arguments by position. Write them as NAME=VALUE into the command.')
        for keyword in call.keywords:
            if keyword.arg is None:
                words.update(self.unpacked(keyword.value))
            elif keyword.arg not in path_names:
                words[keyword.arg] = self.text(keyword.arg, keyword.value)
        return words

    def unpacked(self, node):
        """The arguments of `**options`, if `options` is a dict of the program that nothing changes."""
        handed = self.handed_on(node)
        if handed is not None:
            return handed
        value = self.constant(node) if isinstance(node, ast.Name) else self.places.expression(node)
        if isinstance(value, ast.Dict) and all(isinstance(name, ast.Constant) for name in value.keys):
            return {name.value: self.text(name.value, item) for name, item in zip(value.keys, value.values)}
        if (
            isinstance(value, ast.Call)
            and key(value.func) == 'dict'
            and not value.args
            and all(k.arg for k in value.keywords)
        ):
            return {keyword.arg: self.text(keyword.arg, keyword.value) for keyword in value.keywords}
        if key(node) is not None:
            self.names.add(root(node))
            self.values.append(node)
            return {f'**{self.program.one_line(node)}': None}
        self.notes.look(
            node,
            f'The arguments **{self.program.one_line(node)} are made when it runs. Write them into the command.',
        )
        return {}

    def handed_on(self, node):
        """The arguments of `**kwargs` that the only call of the function hands on, or None."""
        scope = self.program.scope(node)
        if not isinstance(scope, FUNCTIONS) or scope.args.kwarg is None or key(node) != scope.args.kwarg.arg:
            return None
        call = self.places.calls.get(scope)
        own = {arg.arg for arg in arguments(scope)} - {scope.args.kwarg.arg}
        if call is None or any(keyword.arg is None for keyword in call.keywords):
            return None
        return {k.arg: self.text(k.arg, k.value) for k in call.keywords if k.arg not in own}

    def constant(self, node):
        """The one value that a name is set to and that nothing changes, or None."""
        if node.id in changes(self.program.tree):
            return None
        try:
            found = self.places.bound_anywhere(node)
        except Unknown:
            return None
        return self.constant(found) if isinstance(found, ast.Name) and found.id != node.id else found

    def text(self, argument, value):
        """The text of a value. What --read cannot hold becomes a constant of the module."""
        edits = []
        names = set()
        for part in ast.walk(value):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
                replaced = self.replaced(part)
                if replaced is None:
                    names.add(part.id)
                elif replaced != part.id:
                    edits.append((part, replaced))
        if not self.fits(value):
            name = f'{self.kind}_{argument.upper()}'
            self.constants[name] = value
            return name
        self.names |= names
        self.values.append(value)
        return self.program.one_line(value, edits)

    def replaced(self, name):
        """The text that takes the place of a name, or None: the name itself is needed."""
        origin = self.program.origins.get(name.id)
        if origin in LIBRARIES:
            return LIBRARIES[origin]
        if origin is None and name.id in TYPES:
            return name.id
        found = self.constant(name)
        if found is not None and is_literal(found) and len(self.program.one_line(found)) <= SHORT:
            return self.program.one_line(found)
        return None

    def fits(self, node):
        """Whether --read and --write take an expression of this form."""
        if isinstance(node, ast.Constant):
            return True
        if isinstance(node, ast.UnaryOp):
            return isinstance(node.op, (ast.USub, ast.UAdd)) and isinstance(node.operand, ast.Constant)
        if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
            return all(self.fits(item) for item in node.elts)
        if isinstance(node, ast.Dict):
            return all(item is not None and self.fits(item) for item in node.keys + node.values)
        if isinstance(node, ast.Call):
            parts = node.args + [keyword.value for keyword in node.keywords]
            return self.program.origin(node.func) in MAKERS and all(self.fits(part) for part in parts)
        return isinstance(node, ast.Name) or isinstance(node, ast.Attribute) and key(node) is not None

    def add_opened(self, words, opened, names):
        """Hands the encoding of `open(path, encoding=...)` on to the call."""
        for keyword in opened.keywords if opened is not None else []:
            if keyword.arg in names and names[keyword.arg] not in words:
                words[names[keyword.arg]] = self.text(keyword.arg, keyword.value)

    @staticmethod
    def mode_of(opened):
        """The mode of `open()`, or an empty text."""
        if opened is None:
            return ''
        is_method = (
            isinstance(opened.func, ast.Attribute)
            and opened.func.attr == 'open'
            and not isinstance(opened.func.value, ast.Name)
        )
        given = [keyword.value for keyword in opened.keywords if keyword.arg == 'mode'] + opened.args[
            0 if is_method else 1 :
        ][:1]
        return given[0].value if given and isinstance(given[0], ast.Constant) else ''


def joined(path, words):
    """The arguments of a call. Those of `**options` have no text of their own."""
    return ', '.join([path] + [name if text is None else f'{name}={text}' for name, text in words.items()])


def is_literal(node):
    try:
        ast.literal_eval(node)
        return True
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False


def file_of(places, program, notes, call, what):
    """The path of IN or OUT, or None with a note."""
    names = ('filepath_or_buffer',) if what == 'IN' else ('path_or_buf', 'path')
    given = call.args[:1] + [keyword.value for keyword in call.keywords if keyword.arg in names]
    if not given:
        notes.look(call, 'to_csv gives a text, and the program uses it. Put the file in place of OUT.')
        return None
    try:
        path = places.path(given[0])
    except Unknown as reason:
        notes.look(call, f'{reason}. Put the file in place of {what}.')
        return None
    tell_handle(places, program, notes, given[0])
    if '://' in path:
        notes.look(
            call, f'{path} is an address. rowmill reads and writes local files: put the file in place of {what}.'
        )
        return None
    if path == '-' and what == 'IN':
        notes.look(
            call,
            'It reads standard input. rowmill reads the file several times: save it, and put the file in place of IN.',
        )
        return None
    return path if path == '-' else os.path.normpath(path)


def tell_handle(places, program, notes, given):
    """What it means that the call gets an open file."""
    opened = places.opened
    if opened is None:
        return
    if isinstance(given, ast.Name):
        scope = program.scope(given)
        for node in ast.walk(scope):
            if (
                isinstance(node, ast.Name)
                and node.id == given.id
                and isinstance(node.ctx, ast.Load)
                and node is not given
            ):
                if not (isinstance(node.parent, ast.Attribute) and node.parent.attr == 'close'):
                    notes.look(
                        node,
                        f'It also uses the open file {given.id}. The command reads or writes the whole file by itself.',
                    )
    words = {keyword.arg for keyword in opened.keywords}
    mode = CallText.mode_of(opened)
    is_plain = (
        program.origin(opened.func) in ('open', 'io.open')
        or not isinstance(opened.func, ast.Name)
        and opened.func.attr == 'open'
    )
    if (
        len(opened.args) > 2
        or not is_plain
        or (program.origin(opened.func) or '').split('.')[0] in ('codecs', 'gzip', 'bz2', 'lzma')
    ):
        notes.look(
            opened, 'The file is opened in a way of its own. Write its encoding= and compression= into the command.'
        )
    elif 'b' not in mode and mode[:1] in ('', 'r') and 'newline' not in words:
        text = "open() without newline='' makes \\n of \\r\\n and \\r inside cells. The command keeps them."
        notes.look(opened, text)
