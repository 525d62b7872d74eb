"""What adopt has to say about lines of the program."""

LOOK, SIGN, NOTE = 'look', 'sign', 'note'


class Notes:
    """Each note once: its kind, the line of the program, and one or two sentences."""

    def __init__(self, program):
        self.program = program
        self.found = {}
        self.others = {}  # module that the program imports -> its notes

    def of(self, module):
        """The notes about lines of a module that the program imports."""
        return self.others.setdefault(module, Notes(module))

    def add(self, kind, node, text):
        line = node if isinstance(node, int) else node.lineno
        self.found.setdefault((line, kind, text), None)

    def look(self, node, text):
        """The user has to decide or change something."""
        self.add(LOOK, node, text)

    def sign(self, node, text):
        """The function seems to look at other rows."""
        self.add(SIGN, node, text)

    def note(self, node, text):
        """Nothing to do, but it is not as it was."""
        self.add(NOTE, node, text)

    def has(self, *kinds):
        return any(kind in kinds for _, kind, _ in self.found) or any(notes.has(*kinds) for notes in self.others.values())

    def records(self):
        signs = {line: (line, kind, text) for line, kind, text in self.found if kind == SIGN}  # one of a line is enough
        others = [entry for entry in self.found if entry[1] != SIGN]
        every = sorted(others + list(signs.values()), key=lambda entry: entry[:2])
        own = [
            {'kind': kind, 'line': line, 'place': self.program.place(line), 'text': text} for line, kind, text in every
        ]
        return own + [record for notes in self.others.values() for record in notes.records()]
