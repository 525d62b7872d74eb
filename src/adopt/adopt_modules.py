"""Modules that a program imports from its own folder. They are read like the program, and nothing of them is run."""

import ast
import os

from adopt_ends import find_reads, find_writes
from adopt_names import FUNCTIONS, binds
from adopt_program import Program, Unreadable

MOST_STEPS = 20


class Modules:
    """The modules beside a program, each read once."""

    def __init__(self, program):
        self.program = program
        self.root = program.folder
        self.read = {}  # path -> Program, or None if it cannot be read
        self.beside = None  # the modules that the program itself imports
        self.add_stars(program)

    def add_stars(self, program):
        """`from scoring import *`: the names of a module beside the program, but not those that the program binds itself."""
        own = {name for statement in program.tree.body for name in binds(statement)}
        for node in ast.walk(program.tree):
            if isinstance(node, ast.ImportFrom) and node.names[0].name == '*':
                place = '.' * node.level + (node.module or '')
                other = self.module(program, place)
                for statement in other.tree.body if other else ():
                    names = {name for name in binds(statement) - own if not name.startswith('_')}
                    program.origins.update((name, f'{place}.{name}') for name in names)

    def module(self, program, dotted):
        """The module that an import of `program` means, or None if it is not beside the first program."""
        name = dotted.lstrip('.')
        folder = self.root
        if name != dotted:
            folder = os.path.join(program.folder, *['..'] * (len(dotted) - len(name) - 1))
        path = os.path.join(folder, *name.split('.')) if name else folder
        for file in (f'{path}.py', os.path.join(path, '__init__.py')):
            if os.path.isfile(file):
                return self.program_of(os.path.normpath(file))
        return None

    def program_of(self, path):
        if path == os.path.normpath(self.program.path):
            return None
        if path not in self.read:
            self.read[path] = None  # two modules may import each other
            try:
                self.read[path] = Program(path, f'{os.path.relpath(path, self.root or ".")}, ')
                self.add_stars(self.read[path])
            except Unreadable:
                pass
        return self.read[path]

    def function(self, program, node):
        """(module, function) that an imported name such as `classify` or `scoring.classify` means, or None."""
        origin = program.origin(node)
        for _ in range(MOST_STEPS):
            if origin is None or '.' not in origin.lstrip('.'):
                return None
            place, name = origin.rsplit('.', 1)
            module = self.module(program, place or '.')
            if module is None:
                return None
            for statement in module.tree.body:
                if isinstance(statement, FUNCTIONS) and statement.name == name:
                    return module, statement
            program, origin = module, module.origins.get(name)  # it imports the function too
        return None

    def method(self, name):
        """(module, method) of a class in a module that the program imports, or None."""
        if self.beside is None:
            self.beside = self.imported()
        for module in self.beside:
            for function in module.functions:
                if function.name == name and isinstance(function.parent, ast.ClassDef):
                    return module, function
        return None

    def imported(self):
        origins = self.program.origins.values()
        places = {place for origin in origins for place in (origin, origin.rpartition('.')[0]) if place}
        found = [self.module(self.program, place) for place in sorted(places)]
        return [module for module in found if module]

    def reached(self, program, calls):
        """{(module, function)} that calls of the program reach in other modules, and functions of these modules in turn."""
        found = {}
        waiting = [(program, call) for call in calls]
        while waiting:
            owner, call = waiting.pop(0)
            own = [f for f in owner.functions if owner is not program and f.name == getattr(call.func, 'id', None)]
            entry = self.function(owner, call.func) or (own and (owner, own[0]))
            if entry and entry not in found:
                found[entry] = None
                waiting += [(entry[0], node) for node in ast.walk(entry[1]) if isinstance(node, ast.Call)]
        return list(found)


def explain_modules(program, notes):
    """Says where the read and the write are, if functions of modules beside the program do them."""
    modules = program.modules
    reads, writes = find_reads(program), find_writes(program)
    for call in program.calls:
        ends = {'read': None, 'write': None}
        for module, function in modules.reached(program, [call]):
            inside = list(ast.walk(function))
            for kind, found in (('read', find_reads(module)), ('write', find_writes(module))):
                places = [module.place(node.lineno) for node in found if node in inside]
                ends[kind] = ends[kind] or places[:1] and (places[0], module)
        read, write = ends['read'], ends['write']
        if read and write:
            text = f'It reads the frame at {read[0]} and writes it at {write[0]}. Adopt that file: rowmill adopt {read[1].path}'
            notes.look(call, text)
        elif read and not reads:
            notes.look(call, f'It reads the frame at {read[0]}. {COPY}')
        elif write and not writes:
            notes.look(call, f'It writes the frame at {write[0]}. {COPY}')


COPY = 'adopt follows a frame within one file: copy the function into this program.'
