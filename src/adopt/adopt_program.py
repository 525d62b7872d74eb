"""The text of an old program and its syntax tree. Nothing of it is run or imported."""

import ast
import io
import json
import os
import re
import tokenize

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
BLOCKS = ('body', 'orelse', 'handlers', 'finalbody', 'cases')
STAR = (
    'read_csv',
    'read_table',
    'to_datetime',
    'to_numeric',
    'concat',
    'merge',
    'cut',
    'qcut',
    'get_dummies',
    'factorize',
)
MAGIC = re.compile(r'^\s*(%|!|\?)|^\s*[\w., ]+=\s*[%!]|^[\w.]+\?+\s*$')


class Unreadable(Exception):
    """The file is no Python program that can be read. The message is for people."""


class Program:
    """One program: its text, its tree, where each node is, and what its imports mean."""

    def __init__(self, path, place=''):
        """`place` begins the place of each line: `scoring.py, ` for a module that the program imports."""
        self.path = path
        self.folder = os.path.dirname(path)
        self.name = os.path.basename(path)
        self.before_place = place
        self.is_notebook = path.endswith('.ipynb')
        self.cells = []  # (number of the cell, its first line) of a notebook
        self.out_of_order = []  # the first lines of cells that ran before the one above them
        try:
            self.text = self.read_notebook() if self.is_notebook else self.read_file()
        except OSError as error:
            raise Unreadable(f'program {path} cannot be opened: {error.strerror}. Check the path.') from error
        try:
            self.tree = ast.parse(self.text)
        except (SyntaxError, ValueError, RecursionError) as error:
            line = getattr(error, 'lineno', None)
            place = 'the program' if line is None else f'{self.place(line)} of the program'
            said = getattr(error, 'msg', error)
            if str(said).startswith('Missing parentheses in call'):
                said = f'{said} It looks like Python 2: convert it to Python 3 first'
            message = (
                f'{self.name}: Python cannot parse {place} ({said}). Correct it, or name its Python with --python PATH.'
            )
            raise Unreadable(message) from error
        self.data = self.text.encode()
        self.starts = [0]
        for line in self.data.split(b'\n'):
            self.starts.append(self.starts[-1] + len(line) + 1)
        self.inside_text = set()  # lines that begin inside a text of several lines: they keep their white space
        self.origins = {}
        self.functions = []
        self.calls = []
        self.prepare(self.tree)

    def read_file(self):
        try:
            with open(self.path, 'rb') as file:
                data = file.read()
            encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
            return data.decode(encoding).replace('\r\n', '\n').replace('\r', '\n')
        except (SyntaxError, UnicodeDecodeError) as error:
            raise Unreadable(f'{self.name} is no Python program: {error}. Save it as UTF-8.') from error

    def read_notebook(self):
        """The code cells in order. Lines for IPython alone become comments, so the others keep their places."""
        try:
            with open(self.path, encoding='utf-8') as file:
                cells = json.load(file)['cells']
            cells = [cell for cell in cells if cell['cell_type'] == 'code']
            sources = [(''.join(cell['source']), cell.get('execution_count')) for cell in cells]
        except (ValueError, KeyError, TypeError) as error:
            raise Unreadable(
                f'{self.name} is no notebook of version 4: {error!r}. Save it in Jupyter again.'
            ) from error
        lines = []
        last = 0
        for number, (source, count) in enumerate(sources, 1):
            self.cells.append((number, len(lines) + 1))
            if (count or last) < last:
                self.out_of_order.append(len(lines) + 1)
            last = count or last
            own = source.replace('\r\n', '\n').split('\n')
            if own[0].startswith('%%') and not re.match(r'%%(time|timeit|capture)\b', own[0]):
                own = ['# ' + line for line in own]
            lines += ['# ' + line if MAGIC.match(line) else line for line in own]
        return '\n'.join(lines) + '\n'

    def prepare(self, tree):
        """Gives each node its parent, and collects imports, functions, calls and texts of several lines."""
        for node in ast.walk(tree):
            for child in ast.iter_child_nodes(node):
                child.parent = node
            if isinstance(node, ast.Import):
                for alias in node.names:
                    root = alias.name if alias.asname else alias.name.split('.')[0]
                    self.origins[alias.asname or root] = root
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    self.origins[alias.asname or alias.name] = f'{"." * node.level}{node.module or ""}.{alias.name}'
                    if alias.name == '*' and node.module == 'pandas':
                        self.origins.update((name, f'pandas.{name}') for name in STAR)
            elif isinstance(node, FUNCTIONS):
                self.functions.append(node)
            elif isinstance(node, ast.Call):
                self.calls.append(node)
            elif isinstance(node, ast.JoinedStr) or (
                isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes))
            ):
                if node.end_lineno > node.lineno:
                    self.inside_text.update(range(node.lineno + 1, node.end_lineno + 1))
        self.calls.sort(key=lambda call: (call.lineno, call.col_offset))

    def place(self, line):
        """`line 12`, or `cell 3, line 2` of a notebook."""
        for number, first in reversed(self.cells):
            if line >= first:
                return f'cell {number}, line {line - first + 1}'
        return f'{self.before_place}line {line}'

    def origin(self, node):
        """The dotted name that an expression stands for, such as pandas.read_csv for pd.read_csv, or None."""
        if isinstance(node, ast.Name):
            return self.origins.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            base = self.origin(node.value)
            return None if base is None else f'{base}.{node.attr}'
        return None

    def is_pandas(self, node, name):
        return self.origin(node) in (f'pandas.{name}', f'pd.{name}', f'pandas.io.parsers.{name}')

    def scope(self, node):
        """The function in which a node is, or the module."""
        while True:
            node = node.parent
            if isinstance(node, FUNCTIONS) or isinstance(node, ast.Module):
                return node

    def statement(self, node):
        while not isinstance(node, ast.stmt):
            node = node.parent
        return node

    def blocks(self, node):
        """[(owner, list of statements, index)] from the scope of `node` down to the statement that holds it."""
        found = []
        scope = self.scope(node)
        while node is not scope:
            parent = node.parent
            for field in BLOCKS:
                block = getattr(parent, field, None)
                if isinstance(block, list) and node in block and isinstance(node, ast.stmt):
                    found.append((parent, block, block.index(node)))
            node = parent
        return found[::-1]

    def span(self, node):
        start = self.starts[node.lineno - 1] + node.col_offset
        return start, self.starts[node.end_lineno - 1] + node.end_col_offset

    def source(self, node):
        start, end = self.span(node)
        return self.data[start:end].decode()

    def one_line(self, node, edits=()):
        """The text of an expression in one line, without its comments. `edits`: [(node inside, text)]."""
        start, end = self.span(node)
        data = self.data[start:end]
        for begin, stop, text in sorted((self.span(inner) + (text,) for inner, text in edits), reverse=True):
            data = data[: begin - start] + text.encode() + data[stop - start :]
        text = data.decode()
        if '\n' not in text:
            return text
        parts = ''
        before = None
        for token in tokenize.generate_tokens(io.StringIO(f'({text})').readline):
            if token.type in (tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT, tokenize.ENDMARKER):
                continue
            if token.string in (']', '}') and parts.endswith(',') and before.end[0] != token.start[0]:
                parts = parts[:-1]
            if before is not None and before.end[0] == token.start[0]:
                parts += ' ' * (token.start[1] - before.end[1])
            elif before is not None and before.string not in ('(', '[', '{') and token.string not in (')', ']', '}'):
                parts += ' ' if before.string != '.' and token.string != '.' else ''
            parts += token.string
            before = token
        return parts[1:-1]

    def render(self, statements, edits=(), indent=''):
        """The lines of statements at another indentation, with comments between them. `edits`: (start, end, text)."""
        lines = []
        before = None
        for statement in statements:
            first = min([statement.lineno] + [node.lineno for node in getattr(statement, 'decorator_list', [])])
            if before is not None and self.is_gap(before.end_lineno + 1, first):
                gap = self.text.split('\n')[before.end_lineno : first - 1]
                lines += [(indent + line.strip()).rstrip() for line in gap if not line.startswith('# In[')]
            start = self.starts[first - 1] + self.column(first) if first < statement.lineno else self.span(statement)[0]
            end = self.span(statement)[1]
            own = [edit for edit in edits if start <= edit[0] and edit[1] <= end]
            shifts = self.shifts(range(first + 1, statement.end_lineno + 1), self.column(first), indent, own)
            data = self.data[start:end]
            for begin, stop, text in sorted(own + shifts, reverse=True):
                data = data[: begin - start] + text.encode() + data[stop - start :]
            lines += (indent + data.decode() + self.trailing(statement)).split('\n')
            before = statement
        return lines

    def shifts(self, numbers, columns, indent, edits):
        """The edits that move lines from `columns` to `indent`. Lines inside a text or an edit stay."""
        found = []
        for number in numbers:
            start = self.starts[number - 1]
            if number not in self.inside_text and not any(begin < start < end for begin, end, _ in edits):
                blank = self.column(number)
                empty = start + blank == self.starts[number] - 1
                found.append((start, start + min(blank, columns), '' if empty else indent))
        return found

    def column(self, line):
        text = self.data[self.starts[line - 1] : self.starts[line] - 1].decode()
        return len(text) - len(text.lstrip())

    def is_gap(self, first, end):
        """Whether the lines from `first` to before `end` are blank or comments, and there is at least one."""
        gap = self.text.split('\n')[first - 1 : end - 1]
        return all(not line.strip() or line.lstrip().startswith('#') for line in gap)

    def trailing(self, statement):
        """The comment after a statement on its last line."""
        rest = self.data[self.span(statement)[1] : self.starts[statement.end_lineno] - 1].decode()
        return rest.rstrip() if rest.lstrip().startswith('#') else ''
