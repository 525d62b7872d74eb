"""
The fork server: a host that has imported pandas, and forks a host for each worker before the user's code is loaded.

A client makes one connection for each of PARTS, and begins each with a line of JSON: {"id", "part"}, on `control` also
{"mark", "args", "stdout", "stderr"}, of which the last two are paths of pipes. When all have come, the server forks. In the
new process the pipes, channel (as 3 and 4) and lifeline take the places that host.py knows. On `control` the server says {"pid"}, and when the process has ended {"exitCode",
"signal"}. It kills a process as soon as its `control` ends.

Only a process with one thread can fork safely. So this one uses no threads, and if it has others after the import, or if
anything else differs from a host that imports pandas itself, it ends, and each worker starts its own.
"""

import ctypes
import json
import os
import selectors
import signal
import socket
import sys

PARTS = ('control', 'channel', 'lifeline')
PLACES = {'channel': (3, 4), 'lifeline': (5,)}
OUTPUTS = {'stdout': 1, 'stderr': 2}
LIFELINE = 5
# It marks what a process starts (src/support/started-processes.ts).
MARK = 'ROWMILL_STARTED_BY'
LONGEST_LINE = 1 << 20


def prepared(prepare):
    """Whether what `prepare` imports may be forked. `prepare` returns the folder of the user's code."""
    said = os.memfd_create('rowmill-said')
    for descriptor in (1, 2):
        os.dup2(said, descriptor)
    folder = prepare()
    sys.stdout.flush()
    sys.stderr.flush()
    # Before a fork OpenBLAS ends its threads. It starts them again, in the process that needs them.
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    # Each worker would have printed it.
    is_silent = os.fstat(said).st_size == 0
    os.close(said)
    return is_silent and len(os.listdir('/proc/self/task')) == 1 and not has_users_modules(folder)


def has_users_modules(folder):
    """Whether pandas imported something from the folder of the user's code, such as a random.py beside it."""
    folder = os.path.realpath(folder)
    for name, module in list(sys.modules.items()):
        file = getattr(module, '__file__', None)
        if '.' in name or name == '__main__' or not isinstance(file, str):
            continue
        place = os.path.dirname(os.path.realpath(file))
        if folder in (place, os.path.dirname(place)):
            return True
    return False


class Server:
    """The connections and processes of a fork server."""

    def __init__(self, path, die_with):
        self.path = path
        self.die_with = die_with
        # By id: the parts of a process that have come.
        self.wanted = {}
        # By its control: the pid of a process.
        self.running = {}
        # By connection: the bytes of its first line so far, or the id that it named.
        self.known = {}
        self.selector = selectors.PollSelector()
        self.listener = socket.socket(socket.AF_UNIX)
        os.mkdir(os.path.dirname(path), 0o700)
        # Whoever finds a socket with the name of `path` that refuses a connection removes the folder.
        early = os.path.join(os.path.dirname(path), 'early')
        self.listener.bind(early)
        self.listener.listen(4096)
        os.rename(early, path)
        self.waker, self.woken = socket.socketpair()
        for end in (self.waker, self.woken):
            end.setblocking(False)
        signal.set_wakeup_fd(self.waker.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for source in (self.listener, self.woken, LIFELINE):
            self.selector.register(source, selectors.EVENT_READ)

    def serve(self):
        """Returns in each new process, with the arguments that its client gave. In the server it never returns."""
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is self.listener:
                    self.accept()
                elif key.fileobj is self.woken:
                    self.reap()
                elif key.fileobj == LIFELINE:
                    self.end()
                elif key.fileobj in self.known:
                    request = self.hear(key.fileobj)
                    if request is not None and self.fork(request):
                        return request['args']

    def accept(self):
        connection, _ = self.listener.accept()
        self.known[connection] = b''
        self.selector.register(connection, selectors.EVENT_READ)

    def hear(self, connection):
        """Returns the request of a process if all its parts have come now."""
        try:
            said = connection.recv(1 << 16)
        except OSError:
            said = b''
        known = self.known[connection]
        if not said or not isinstance(known, bytes) or len(known) > LONGEST_LINE:
            self.lose(connection)
            return None
        known += said
        if not known.endswith(b'\n'):
            self.known[connection] = known
            return None
        head = json.loads(known)
        self.known[connection] = head['id']
        request = self.wanted.setdefault(head['id'], {})
        request.update(head, **{head['part']: connection})
        return request if all(part in request for part in PARTS) else None

    def lose(self, connection):
        """A client has ended a connection. Without `control` its process ends; without another part it never begins."""
        if connection in self.running:
            self.selector.unregister(connection)
            kill(self.running[connection])
            return
        request = self.wanted.pop(self.known[connection], {})
        for each in {connection, *(request[part] for part in PARTS if part in request)}:
            self.drop(each)

    def drop(self, connection):
        if self.known.pop(connection, None) is not None:
            self.selector.unregister(connection)
            connection.close()

    def fork(self, request):
        """Whether this is the new process."""
        del self.wanted[request['id']]
        control, parent = request['control'], os.getpid()
        outputs = {}
        try:
            check_mark(request['mark'])
            # The client keeps them open until it hears the pid.
            for name, place in OUTPUTS.items():
                outputs[place] = os.open(request[name], os.O_WRONLY)
            pid = os.fork()
        except (OSError, ValueError):
            pid = None
        if pid == 0:
            os.setsid()
            self.die_with(parent)
            self.take_places(request, outputs)
            set_mark(request['mark'])
            reseed()
            return True
        for output in outputs.values():
            os.close(output)
        for part in PARTS if pid is None else PLACES:
            self.drop(request[part])
        if pid is not None:
            self.running[control] = pid
            say(control, {'pid': pid})
        return False

    def take_places(self, request, outputs):
        """Gives the new process the descriptors and signals of a host, and nothing else of the server."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for part, places in PLACES.items():
            for place in places:
                os.dup2(request[part].fileno(), place)
        for place, output in outputs.items():
            os.dup2(output, place)
            os.close(output)
        for own in (self.listener, self.waker, self.woken, *self.known, *self.running):
            own.close()

    def reap(self):
        self.woken.recv(1 << 16)
        for control, pid in list(self.running.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if not ended:
                continue
            del self.running[control]
            number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
            end = {'exitCode': None, 'signal': name_of(number)} if number else {'exitCode': os.WEXITSTATUS(status), 'signal': None}
            say(control, end)
            if self.known.pop(control, None) is not None and control.fileno() in self.selector.get_map():
                self.selector.unregister(control)
            control.close()

    def end(self):
        for pid in self.running.values():
            kill(pid)
        for remove, path in ((os.unlink, self.path), (os.rmdir, os.path.dirname(self.path))):
            try:
                remove(path)
            except OSError:
                pass
        os._exit(0)


def kill(pid):
    """Kills a process that was not waited for yet, and its group."""
    for send in (os.killpg, os.kill):
        try:
            send(pid, signal.SIGKILL)
        except OSError:
            pass


def say(control, what):
    try:
        control.sendall(json.dumps(what).encode() + b'\n')
    except OSError:
        pass


def name_of(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return f'SIG{number}'


def check_mark(mark):
    room = len(os.environ.get(MARK, ''))
    if 0 < room < len(mark):
        raise ValueError('no room for the mark')


def set_mark(mark):
    """Writes the mark where the process got its environment: /proc shows that place, whatever os.environ says."""
    if MARK not in os.environ:
        return
    library = ctypes.CDLL(None)
    library.getenv.restype = ctypes.c_void_p
    ctypes.memmove(library.getenv(MARK.encode()), mark.encode().ljust(len(os.environ[MARK]), b'\0'), len(os.environ[MARK]))
    os.environ[MARK] = mark


def reseed():
    """numpy seeds its generator when it is imported; Python seeds its own after a fork."""
    if 'numpy.random' in sys.modules:
        sys.modules['numpy.random'].seed()
