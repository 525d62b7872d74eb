"""Puts the new module together: what the work needs, then the work as the function classify."""

import ast

from adopt_ends import frame_parameter, written_value
from adopt_names import FUNCTIONS, binds, loads
from adopt_needs import Needs
from adopt_options import arguments_of_command
from adopt_settings import keep_settings
from adopt_work import Work


class Module:
    """The work of a job as a module."""

    def __init__(self, program, notes, job, writes):
        self.program, self.notes, self.job = program, notes, job
        self.needs = Needs(program, notes)
        self.needs.forbidden = set(job.read.nodes + job.write.nodes)
        others = [write for write in writes if write is not job.write[0]]
        self.works = self.cut(others)
        self.collect()
        self.values = []  # what --read and --write use of the module

    def cut(self, others):
        program, notes, job = self.program, self.notes, self.job
        if job.state:
            self.common = Work(program, notes, job.scope, job.start, job.end, job.end, (), others, job.state)
            self.common.call = job.outside[0] if job.outside else None
            return [self.common]
        works = []
        for level in range(job.read_level):
            start = job.read[level]
            works.append(Work(program, notes, program.scope(start), start, None, None, (), others))
            works[-1].call = job.read[level + 1]
        value = written_value(program, job, job.write_level)
        common = Work(program, notes, job.scope, job.start, job.end, value, (), others)
        common.call = job.outside[0] if job.outside else None
        works.append(common)
        for level in range(job.write_level - 1, -1, -1):
            end = job.write[level]
            held = (frame_parameter(program, job, level),)
            works.append(
                Work(program, notes, program.scope(end), None, end, written_value(program, job, level), held, others)
            )
            works[-1].call = job.write[level + 1]
        self.common = common
        return works

    def collect(self):
        """Finds everything that the work needs."""
        needs = self.needs
        for inner, outer in zip(self.job.outside, self.job.outside[1:] + [None]):
            needs.scope(self.program.scope(inner), before(self.program, inner), outer)
        for work in self.works:
            needs.scope(work.scope, work.prepared, work.call)
        self.preludes = {}
        for work in self.works:
            own = {}
            for name in sorted(work.own_names()):
                found = needs.binding(name, needs.prepared.get(work.scope) or [])
                if found and not any(
                    isinstance(s, FUNCTIONS + (ast.ClassDef, ast.Import, ast.ImportFrom)) for s in found
                ):
                    own.update((statement, None) for statement in found)
                    needs.seen.add((name, work.scope))
            self.preludes[work] = sorted(own, key=lambda statement: statement.lineno)
            needs.need({name for statement in own for name in loads(statement)}, work.scope)
            needs.need(work.free_names(), work.scope)

    @property
    def busy(self):
        return [work for work in self.works if not work.is_empty()]

    def render(self, constants, file):
        """The text of the module. `constants` are values of --read and --write: {name: node}."""
        program, needs = self.program, self.needs
        self.name = self.free_name()
        replaced = self.namespaces()
        blocks = [(ast.Import(), ['import argparse'])] if replaced or needs.given_parsers else []
        for scope, statements in self.ordered_layers():
            blocks += [(None, [text]) for (owner, _), text in needs.bindings.items() if owner is scope]
            for statement in sorted(statements, key=lambda statement: statement.lineno):
                text = [replaced[statement]] if statement in replaced else self.with_comments(statement)
                blocks.append((statement, text))
        blocks += [(None, [f'{name} = {program.one_line(node)}']) for name, node in constants.items()]
        lines = [
            f'"""The work of {program.name} on its frame, cut out by rowmill adopt. --classifier {file}:{self.name}"""',
            '',
        ]
        before_is_import = None
        for statement, text in blocks:
            is_import = isinstance(statement, (ast.Import, ast.ImportFrom))
            is_block = isinstance(statement, FUNCTIONS + (ast.ClassDef,))
            if is_block:
                lines = without_blank(lines) + ['', '']
            elif before_is_import and not is_import and lines[-1] != '':
                lines.append('')
            lines += text + (['', ''] if is_block else [])
            before_is_import = is_import
        functions = self.functions()
        self.check()
        return '\n'.join(without_blank(lines) + ['', ''] + functions) + '\n'

    def need(self, names, constants, values):
        """What --read and --write use: [(name, scope)], {name: expression} of new constants, all expressions."""
        for name, scope in names:
            self.needs.need({name}, scope)
        for node in constants.values():
            self.needs.need(loads(node), self.program.scope(node))
        self.values = values + list(constants.values())

    def settle(self, imported):
        """Keeps what sets something up before the work."""
        parts = [node for work in self.works for statement in work.statements for node in ast.walk(statement)]
        self.needs.attributes = {node.attr for node in parts if isinstance(node, ast.Attribute)}
        keep_settings(self.needs, imported)

    def namespaces(self):
        """`args = parser.parse_args()` becomes a namespace of what is used of it."""
        replaced = {}
        for statement, name in self.needs.parsers.items():
            replaced[statement] = self.namespace(name, statement)
        for (scope, name), call in self.needs.given_parsers.items():
            self.needs.bindings[scope, name] = self.namespace(name, call)
        return replaced

    def namespace(self, name, parser):
        used = {}
        for work in self.works:
            for part in work.statements + self.preludes[work]:
                self.add_used(part, name, used, work)
        for statements in self.needs.layers.values():
            for part in statements:
                if part is not parser:
                    self.add_used(part, name, used, None)
        for value in self.values:
            self.add_used(value, name, used, None, True)
        return arguments_of_command(self.program, self.notes, name, parser, used)

    def add_used(self, statement, name, used, work, is_in_call=False):
        ends = work is not None and work.end is not None and statement is self.program.statement(work.end)
        for node in ast.walk(work.value if ends else statement):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name:
                if is_in_call or not self.is_in_ends(node):
                    used.setdefault(node.attr, node)

    def is_in_ends(self, node):
        """Whether a node is in the read or the write: their paths are no part of the module."""
        while not isinstance(node, ast.stmt):
            if node in self.needs.forbidden:
                return True
            node = node.parent
        return False

    def ordered_layers(self):
        layers = self.needs.layers
        outside = [self.program.scope(call) for call in reversed(self.job.outside)]
        order = [self.program.tree] + outside + [self.job.scope] + list(layers)
        done = []
        for scope in order:
            if scope in layers and scope not in done:
                done.append(scope)
        return [(scope, layers[scope]) for scope in done]

    def with_comments(self, statement):
        """The lines of a statement with the comments directly above it."""
        lines = self.program.text.split('\n')
        first = min([statement.lineno] + [node.lineno for node in getattr(statement, 'decorator_list', [])]) - 1
        above = []
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            return self.program.render([statement])  # what is above may be the head of the whole program
        while (
            first > 0
            and lines[first - 1].lstrip().startswith('#')
            and not lines[first - 1].startswith(('#!', '# In[', '# coding'))
        ):
            first -= 1
            above.insert(0, lines[first].strip())
        return above + self.program.render([statement])

    def functions(self):
        """The function classify, and a function for each part of the work that was a function of its own."""
        busy = self.busy
        if len(busy) == 1:
            return self.function(busy[0], self.name)
        lines = []
        value = 'frame'
        for work in busy:
            name = f'{work.scope.name}_part' if isinstance(work.scope, FUNCTIONS) else 'main_part'
            lines += self.function(work, name) + ['', '']
            value = f'await {name}({value})' if self.awaits(work) else f'{name}({value})'
        if not busy:
            return [f'def {self.name}(frame):', '    return frame']
        head = 'async def' if any(map(self.awaits, busy)) else 'def'
        return lines + [f'{head} {self.name}(frame):', f'    return {value}']

    def function(self, work, name):
        body = self.program.render(self.preludes[work], (), '    ')
        body += self.program.render(work.statements, work.edits, '    ')
        shared = self.globals_of(work)
        word = 'async def' if self.awaits(work) else 'def'
        if work.param in shared:
            head = [f'{word} {name}(frame):', f'    global {", ".join(shared)}', f'    {work.param} = frame']
        else:
            head = [f'{word} {name}({work.param}):'] + ([f'    global {", ".join(shared)}'] if shared else [])
        return head + body

    def awaits(self, work):
        """Whether the work needs `async def`."""
        waits = (ast.Await, ast.AsyncFor, ast.AsyncWith)
        return any(
            (isinstance(node, waits) or getattr(node, 'is_async', 0)) and self.program.scope(node) is work.scope
            for statement in work.statements
            for node in ast.walk(statement)
        )

    def globals_of(self, work):
        """Names that the work binds and that functions of the module read as global variables."""
        if not isinstance(work.scope, ast.Module):
            return []
        kept = [
            statement
            for statement in self.needs.layers[self.program.tree]
            if isinstance(statement, FUNCTIONS + (ast.ClassDef,))
        ]
        read = {name for statement in kept for name in loads(statement)}
        shared = sorted(read & ({name for statement in work.statements for name in binds(statement)} | {work.param}))
        for name in shared:
            if any(name in binds(statement) for statement in self.needs.layers[self.program.tree]):
                self.notes.look(
                    self.job.start,
                    f'{name} is set several times, and functions read it. Hand it to them as an argument.',
                )
        return shared

    def free_name(self):
        taken = {
            name for statements in self.needs.layers.values() for statement in statements for name in binds(statement)
        }
        taken |= {name for work in self.works for name in work.free_names()}  # `from scoring import *` may bind it
        return next(
            name for name in ('classify', 'classify_frame', 'classify_batch', 'classify_rows') if name not in taken
        )

    def check(self):
        """Says what keeps the module from working as the program did."""
        for name in sorted(self.needs.unknown):
            bound = any(name == work.param or name in binds(s) for work in self.works for s in work.statements)
            star = any(isinstance(s, ast.ImportFrom) and s.names[0].name == '*' for s in self.program.tree.body)
            if not bound and not star:
                self.notes.look(
                    self.job.start,
                    f'The work uses {name}, and the program does not say what it is. Add it to the module.',
                )
        layers = []
        for scope, statements in self.ordered_layers():
            shared = {name for node in ast.walk(scope) if isinstance(node, ast.Global) for name in node.names}
            layers.append({name for statement in statements for name in binds(statement)} - shared)
        for index, names in enumerate(layers):
            for name in sorted(names & set().union(*layers[:index])) if index else []:
                self.notes.look(
                    self.job.start, f'The program has several variables {name}. The module has one: rename the others.'
                )


def before(program, call):
    """The statements before a call, in the blocks around it."""
    return [statement for _, block, index in program.blocks(call) for statement in block[:index]]


def without_blank(lines):
    """The lines without the blank ones at the end."""
    while lines[-1] == '':
        lines = lines[:-1]
    return lines
