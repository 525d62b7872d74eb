"""Jobs whose frame is an attribute: `job.load()` sets self.df, other methods change it, and `job.save()` writes it."""

import ast

from adopt_ends import contains, find_reads, find_writes, meet, paths
from adopt_names import FUNCTIONS, key, root


def find_state_jobs(program):
    found = []
    for read in find_reads(program):
        for write in find_writes(program):
            name = attribute(program, read)
            if name is None or key(write.func.value) != name:
                continue
            if not (is_alone(program, read) and is_alone(program, write)):
                continue
            for read_path in paths(program, read):
                for write_path in paths(program, write):
                    job = meet(program, read_path, write_path)
                    if (
                        job
                        and job.read_level == job.write_level == 1
                        and variable(job.start)
                        and variable(job.start) == variable(job.end)
                    ):
                        job.state = f'{variable(job.start)}.{name[len("self.") :]}'
                        found.append(job)
    return found


def attribute(program, read):
    """`self.df` of `self.df = pd.read_csv(...)`, or None."""
    statement = program.statement(read)
    if isinstance(statement, ast.Assign) and statement.value is read and len(statement.targets) == 1:
        name = key(statement.targets[0]) or ''
        return name if name.startswith('self.') and name.count('.') == 1 else None
    return None


def variable(call):
    """The variable of the object whose method is called as a statement of its own, or None."""
    is_statement = isinstance(call.parent, ast.Expr) and isinstance(call.func, ast.Attribute)
    return root(call) if is_statement and isinstance(call.func.value, ast.Name) else None


def is_alone(program, call):
    """Whether a method does nothing else than this read or write."""
    method = program.scope(call)
    if not isinstance(method, FUNCTIONS) or not isinstance(method.parent, ast.ClassDef) or method.name == '__init__':
        return False
    others = [statement for statement in method.body if not contains(statement, call)]
    return all(
        isinstance(statement, ast.Expr)
        and (isinstance(statement.value, ast.Constant) or key(getattr(statement.value, 'func', None)) == 'print')
        or isinstance(statement, ast.Return)
        and (statement.value is None or key(statement.value) == 'self')
        for statement in others
    )
