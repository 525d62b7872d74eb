"""The statements between the two ends in one scope: what is done to the frame, what only prints, what prepares."""

import ast

from adopt_ends import contains, frames, mentions, reads_pieces
from adopt_names import FUNCTIONS, binds, changes, free, key, loads
from adopt_talk import ends_program, is_ipython, is_length, is_talk


class Work:
    """The part of the work in one scope. `start` and `end` are calls, or None: from the beginning, to the end."""

    def __init__(self, program, notes, scope, start, end, value, held, other_writes=(), state=None):
        self.program, self.notes, self.scope = program, notes, scope
        self.start, self.end, self.value = start, end, value
        self.other_writes = other_writes
        self.prepared = []  # statements before the work, and those within it that do not touch the frame
        self.after = []
        self.moved = set()  # the statements of `prepared` that come after the read
        self.state = state  # `job.df`, if the frame is an attribute
        self.held = {state, state.split('.')[0]} if state else frames(program, scope, start, held)
        self.statements = self.cut()
        self.param = self.take_param(held)
        self.edits = self.make_edits()
        self.leave_out()

    def cut(self):
        """The statements from the one with `start` to the one with `end`, taken out of the blocks around them."""
        first = self.program.blocks(self.start) if self.start else [(self.scope, self.scope.body, 0)]
        if self.end:
            last = self.program.blocks(self.end)
        else:
            last = [(first[0][0], first[0][1], len(first[0][1]) - 1)]
        depth = 0
        while (
            first[depth][1] is last[depth][1]
            and first[depth][2] == last[depth][2]
            and self.goes_down(depth, first, last)
        ):
            self.wrapped(first[depth][1][first[depth][2]])
            self.prepared += first[depth][1][: first[depth][2]]
            self.after += first[depth][1][first[depth][2] + 1 :]
            depth += 1
        _, block, i = first[depth]
        j = last[depth][2]
        self.prepared += block[:i] if self.start else []
        self.after += block[j + 1 :] if self.end else []
        if self.end and self.is_over_pieces(block[j]) and len(last) > depth + 1:
            self.prepared += block[i:j]
            return [block[j]] + self.head_of(last, depth)
        if i == j:
            return [block[i]]
        head = self.tail_of(first, depth)
        if isinstance(head[0], ast.Return):
            return head[:1]  # nothing runs after it
        return head + block[i + 1 : j] + self.head_of(last, depth)

    def is_over_pieces(self, statement):
        """Whether it is a loop over the pieces that `chunksize=` gives."""
        if not isinstance(statement, ast.For) or not self.start or not reads_pieces(self.start):
            return False
        return contains(statement.iter, self.start) or any(key(node) in self.held for node in ast.walk(statement.iter))

    def goes_down(self, depth, first, last):
        return depth + 1 < len(first) and depth + 1 < len(last) and first[depth + 1][1] is last[depth + 1][1]

    def tail_of(self, way, depth):
        """The statement with the read, and what follows it in the blocks around it."""
        if not self.start:
            return [way[depth][1][way[depth][2]]]
        found = [way[-1][1][way[-1][2]]]
        for level in range(len(way) - 1, depth, -1):
            _, block, index = way[level]
            self.wrapped(way[level - 1][1][way[level - 1][2]])
            self.prepared += block[:index]
            found += before_jump(block[index + 1 :])
            owner = way[level][0]
            if isinstance(owner, ast.Try) and block is owner.body:
                found += owner.orelse + owner.finalbody
        return found

    def head_of(self, way, depth):
        """What precedes the write in the blocks around it, and its statement."""
        if not self.end:
            return [way[depth][1][way[depth][2]]]
        found = []
        for level in range(depth + 1, len(way)):
            _, block, index = way[level]
            self.wrapped(way[level - 1][1][way[level - 1][2]], writes=True)
            owner = way[level][0]
            if isinstance(owner, ast.Try) and block is owner.orelse:
                found += owner.body
            found += block[:index]
            self.after += block[index + 1 :]
        return found + [way[-1][1][way[-1][2]]]

    def wrapped(self, owner, writes=False):
        """Says what it means that an end is inside a loop, a condition or a try."""
        if is_main_guard(owner):
            return
        what = 'write' if writes else 'read'
        if isinstance(owner, (ast.With, ast.AsyncWith)):
            for item in owner.items:
                if not self.opens_file(item.context_expr):
                    shown = self.program.one_line(item.context_expr)
                    text = f'The {what} is inside "with {shown}". The command does it without.'
                    self.notes.look(owner, text)
        if self.is_over_pieces(owner):
            return
        if isinstance(owner, (ast.For, ast.AsyncFor, ast.While)):
            again = ': run it for each file' if self.depends_on(owner, writes) else ''
            self.notes.look(owner, f'The {what} is in a loop. The command does it once{again}.')
        elif isinstance(owner, ast.If):
            self.notes.look(owner, f'The {what} depends on a condition. The command always does it.')
        elif isinstance(owner, ast.Try):
            for handler in owner.handlers:
                if not all(is_talk(self.program, child) or ends_program(child, self.program) for child in handler.body):
                    self.notes.look(
                        handler,
                        f'If the {what} fails, the program does something else. The command ends with an error.',
                    )

    def depends_on(self, loop, writes):
        """Whether the read or the write uses a variable of the loop. Otherwise the loop only tries again."""
        call = self.end if writes else self.start
        names = {name for statement in loop.body for name in binds(statement)} | binds(getattr(loop, 'target', loop.body[0]))
        return call is None or bool(loads(call) & names)

    def opens_file(self, node):
        """Whether a context is an open file, or the read itself."""
        if not isinstance(node, ast.Call):
            return False
        name = node.func.attr if isinstance(node.func, ast.Attribute) else key(node.func)
        return (
            name == 'open' or node is self.start or name == 'option_context' and 'display' in self.program.source(node)
        )

    def take_param(self, held):
        """The name of the parameter. `df = pd.read_csv(...)` names it, and is no statement of the work."""
        if not self.start:
            return next(iter(held))
        first = self.statements[0]
        target = None
        if isinstance(first, ast.Assign) and len(first.targets) == 1 and first.value is self.start:
            target = first.targets[0]
        elif isinstance(first, ast.AnnAssign) and first.value is self.start:
            target = first.target
        elif self.end and self.is_over_pieces(first) and contains(first, self.end):
            target = first.target.elts[-1] if isinstance(first.target, ast.Tuple) else first.target
        if isinstance(target, ast.Name):
            self.statements = self.statements[1:]
            return target.id
        used = {node.id for node in ast.walk(self.program.tree) if isinstance(node, ast.Name)}
        return next(name for name in ('frame', 'rows', 'frame_of_rows') if name not in used)

    def make_edits(self):
        edits = []
        if self.state:
            first, last = (self.program.span(self.program.statement(node)) for node in (self.start, self.end))
            return [first + (f'{self.state} = {self.param}',), last + (f'return {self.state}',)]
        if self.start and any(contains(statement, self.start) for statement in self.statements):
            text = f'[{self.param}]' if reads_pieces(self.start) else self.param
            edits.append(self.program.span(self.start) + (text,))
        if self.end:
            begin, stop = self.program.span(self.program.statement(self.end))
            first, last = self.program.span(self.value)
            lines = self.value.end_lineno > self.value.lineno
            if self.value is self.start:
                return [(begin, stop, f'return {self.param}')]
            edits += [(begin, first, 'return (' if lines else 'return '), (last, stop, ')' if lines else '')]
        return edits

    def leave_out(self):
        """Takes out what prints, other writes, and what does not touch the frame: that is prepared once, at import."""
        kept = []
        for statement in self.statements:
            if not (self.end and contains(statement, self.end)) and self.is_left_out(statement):
                continue
            kept.append(statement)
        self.statements = kept
        self.statements = []
        for index, statement in enumerate(kept):
            if self.can_move(statement, kept[:index] + kept[index + 1 :], kept[index + 1 :]):
                self.prepared.append(statement)
                self.moved.add(statement)
            else:
                self.statements.append(statement)

    def can_move(self, statement, others, later):
        """Whether a statement between the ends does the same when it runs once, before the work."""
        movable = (ast.Assign, ast.AnnAssign, ast.With, ast.Import, ast.ImportFrom, ast.ClassDef) + FUNCTIONS
        if not isinstance(statement, movable) or self.touches(statement):
            return False
        own = binds(statement)
        if isinstance(statement, FUNCTIONS) and loads(statement) & {name for other in later for name in binds(other)}:
            return False  # the function reads what is set only after it
        staying = [other for other in others if other not in self.moved]
        written = {self.param} | {name for other in staying for name in binds(other) if self.touches(other)}
        written |= {name for other in staying for name in changes(other) if self.touches(other)}
        written |= {name for other in self.statements for name in binds(other) | changes(other)}
        read_before = {name for other in self.statements for name in loads(other)}
        bound_elsewhere = {name for other in others + self.prepared for name in binds(other)}
        return not (loads(statement) | own) & written and not own & (read_before | bound_elsewhere)

    def is_empty(self):
        """Whether nothing happens to the frame here."""
        if len(self.statements) != 1:
            return False
        only = self.statements[0]
        value = self.value if self.end else only.value if isinstance(only, ast.Return) else None
        return value is not None and (value is self.start or key(value) == self.param)

    def free_names(self):
        """The names that the work needs from outside."""
        inner = [statement for statement in self.statements if not (self.end and contains(statement, self.end))]
        if self.state:
            return free(inner, (self.start,)) | {self.state.split('.')[0]}
        names = free(inner, (self.start,), {self.param})
        if self.end:
            bound = {name for statement in inner for name in binds(statement)} | {self.param}
            names |= loads(self.value, (self.start,)) - bound
        return names

    def own_names(self):
        """Names that the work needs and also binds or changes: they begin anew in each call, in the function."""
        return self.free_names() & {
            name for statement in self.statements for name in binds(statement) | changes(statement)
        }

    def touches(self, statement):
        return mentions(statement, self.held | {self.param}, self.start) or (
            self.end is not None and contains(statement, self.end)
        )

    def is_left_out(self, statement):
        for write in self.other_writes:
            if self.program.statement(write) is statement:
                return True
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            return True
        if is_talk(self.program, statement):
            counts = any(is_length(node, self.held) for node in ast.walk(statement))
            if counts:
                self.notes.note(
                    statement,
                    'It prints how many rows there are: left out. rowmill reports the count of the whole file.',
                )
            elif not is_ipython(statement):
                self.notes.note(
                    statement, 'It only shows something: left out, because the function runs once for each batch.'
                )
            return True
        return False


def before_jump(statements):
    """The statements up to the `break` or `continue` of a loop that is not in the new module."""
    ends = [index for index, statement in enumerate(statements) if isinstance(statement, (ast.Break, ast.Continue))]
    return statements[: ends[0]] if ends else statements


def is_main_guard(statement):
    if not isinstance(statement, ast.If) or not isinstance(statement.test, ast.Compare):
        return False
    parts = [statement.test.left] + statement.test.comparators
    return any(isinstance(part, ast.Name) and part.id == '__name__' for part in parts)
