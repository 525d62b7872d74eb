"""Values of the command line: what argparse gives becomes a namespace with the defaults of its options."""

import ast

PARSERS = ('parse_args', 'parse_known_args')


def arguments_of_command(program, notes, name, statement, used):
    """`args = argparse.Namespace(...)` with the defaults of the options that are used."""
    given = []
    for attribute, node in sorted(used.items()):
        default = option_default(program, attribute)
        if default is None:
            notes.look(node, f'{name}.{attribute} comes from the command line. Write its value into the module.')
        else:
            given.append(f'{attribute}={default}')
            text = (
                f'{name}.{attribute} comes from the command line. The module has its default, {default}: is it right?'
            )
            notes.look(node, text)
    if not used:
        notes.look(statement, f'The work uses {name}, which has the command line. Write what it uses into the module.')
    return f'{name} = argparse.Namespace({", ".join(given)})'


def option_default(program, attribute):
    for call in program.calls:
        if not is_call_of(call, ('add_argument',)):
            continue
        words = {keyword.arg: keyword.value for keyword in call.keywords}
        flags = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        long = next((flag for flag in flags if flag.startswith('--')), flags[0] if flags else '')
        dest = (
            words['dest'].value if isinstance(words.get('dest'), ast.Constant) else long.lstrip('-').replace('-', '_')
        )
        if dest == attribute:
            action = getattr(words.get('action'), 'value', None)
            if 'default' in words:
                text = program.one_line(words['default'])
                is_text = isinstance(words['default'], ast.Constant) and isinstance(words['default'].value, str)
                return f'{program.one_line(words["type"])}({text})' if 'type' in words and is_text else text
            return {'store_true': 'False', 'store_false': 'True'}.get(action)
    return None


def is_call_of(node, names):
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names
