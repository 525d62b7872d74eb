"""The child process of a publisher with --read: reads the whole file once as the original job did, and cuts it into rows.

    python reader.py PARENT_PID TARGET

The descriptors and frames are those of host.py, and so is the first answer, {"begun": true}. Requests:

1. {"check": true, "call", "writeCall"}: refuses wrong calls -> {"checked": {"toCsv", "names"}}
2. {"path", "call", "writeCall", "lowMemory", "spool"}: -> {"note": text} and {"counted": n} any number of times, then
   {"learned": {"columns", "recipe", "total", "toCsv", "names", "digest", "exactLines", "longestBytes"}}
3. {"rows": true}: -> {"line", "rows"} again and again, then {"end": true}. May be asked twice.

Every answer may be {"error": {code, message, facts}} instead. A file is learned, cut and proved before `learned` comes, so
before anything is published: the call of the original job reads the whole file (learn), pandas' tokenizer makes texts of
its cells (cut), and the DataFrame that workers will make of each piece of texts must equal its slice of the whole
DataFrame (prove). With "lowMemory" this is done one column at a time (reader_columns.py).
"""

import importlib.util
import json
import os
import sys

FLAGS = ('index', 'header', 'doublequote')
HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    channel = host.host_channel.Channel(3, 4)
    host.signal.signal(host.signal.SIGINT, host.signal.SIG_IGN)
    channel.send({'begun': True})
    host.host_process.watch_parent(5)
    parent, target = int(sys.argv[1]), sys.argv[2]
    reader = Reader(channel, target)
    host.host_process.die_with(parent)
    while True:
        request = json.loads(channel.receive())
        try:
            reader.answer(request)
        except BaseException as error:
            record = host.host_target.error_record(error, 'INPUT_UNREADABLE', 'the file cannot be read')
            channel.send({'error': record})
        host.host_process.flush_output()


class Reader:
    """What one publisher asks for."""

    def __init__(self, channel, target):
        self.channel, self.target = channel, target
        self.module = None
        self.parts = None
        self.spool = None

    def answer(self, request):
        if self.parts is None:
            self.parts = load_parts()
        if request.get('rows'):
            for frame in self.spool.frames():
                self.channel.write(frame)
            self.channel.send({'end': True})
            return
        read, write = self.calls(request)
        if request.get('check'):
            self.channel.send({'checked': write})
            return
        self.channel.send({'learned': self.parts.reader_file.learn(self, request, read, write)})

    def calls(self, request):
        """Returns (arguments of the read call or None, {"toCsv", "names"} of both calls)."""
        call = self.parts.host_call
        given = [
            call.parse_call(request[key], kind) if request.get(key) else None
            for key, kind in (('call', 'read'), ('writeCall', 'write'))
        ]
        names = [name for item in given if item for name in item.names]
        module = self.classifier() if names else None
        read, write = [item.resolve(module) if item else None for item in given]
        if read is not None:
            self.parts.reader_file.check_arguments(given[0], read)
        plain, _ = call.to_json(write or {})
        # to_csv takes 0 and None for False, and 1 for True.
        plain.update({name: bool(plain[name]) for name in FLAGS if type(plain.get(name, '')) in (int, type(None))})
        return read, {'toCsv': plain, 'names': names}

    def classifier(self):
        """The module of the classifier. It is imported only if a call names something of it."""
        if self.module is None and self.target:
            target = host.host_target
            place, _, folder = target.find_target(self.target)
            if sys.path and os.path.abspath(sys.path[0]) == HERE:
                sys.path[0] = folder
            what = f'classifier {self.target} cannot be imported'
            try:
                self.module, _ = target.run_file(place) if os.path.isabs(place) else target.import_by_name(place)
            except target.HostError:
                raise
            except BaseException as error:
                record = target.error_record(error, 'CLASSIFIER_UNLOADABLE', what)
                raise target.HostError(**record) from error
        return self.module

    def note(self, text):
        self.channel.send({'note': text})

    def counted(self, rows):
        self.channel.send({'counted': rows})


def load_parts():
    host.import_pandas()
    first = ('reader_cut', 'reader_original', 'reader_nullable', 'reader_learn', 'reader_prove')
    names = (*first, 'reader_columns', 'reader_file')
    parts = {name: host.load_beside(name) for name in names}
    return host.types.SimpleNamespace(host_call=host.OWN['host_call'], **parts)


def load_host():
    """Loads host.py by path, under a name that hides no module of the user."""
    spec = importlib.util.spec_from_file_location('_rowmill_host', os.path.join(HERE, 'host.py'))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


host = load_host()

if __name__ == '__main__':
    main()
