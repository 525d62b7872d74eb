"""
The frames between a host and its parent: a length in bytes (4 bytes, big endian), followed by UTF-8 JSON of that length.
"""

import json
import os
import re


class Channel:
    """Frames in, frames out. The parent always reads, so an answer never waits for the next request."""

    def __init__(self, requests, answers):
        os.set_inheritable(requests, False)
        os.set_inheritable(answers, False)
        self.input = open(requests, 'rb', buffering=1 << 18, closefd=False)
        self.output = answers
        self.owner = os.getpid()
        self.encode = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode

    def receive(self):
        """Returns the bytes of the next frame. The end of the channel ends the process."""
        head = self.input.read(4)
        length = int.from_bytes(head, 'big')
        body = self.input.read(length)
        if len(head) < 4 or len(body) < length:
            os._exit(0)
        return body

    def send(self, answer):
        try:
            body = self.encode(answer).encode()
        except UnicodeEncodeError:
            body = self.encode({'error': surrogate_error(answer)}).encode('utf-8', 'backslashreplace')
        # If the user's code forked and the child came back here, the child must not answer too.
        if os.getpid() != self.owner:
            os._exit(1)
        self.write(len(body).to_bytes(4, 'big') + body)

    def write(self, frame):
        frame = memoryview(frame)
        try:
            while frame:
                frame = frame[os.write(self.output, frame) :]
        except BrokenPipeError:
            os._exit(0)


def surrogate_error(answer):
    """Names the cell that is not valid Unicode. An error record passes as it is: send() escapes its surrogates."""
    if 'error' in answer:
        return answer['error']
    for row in [answer['columns'], *answer['rows']]:
        for column, cell in zip(answer['columns'], row):
            if re.search('[\ud800-\udfff]', cell):
                shown = ascii(column), ascii(cell[:80])
                message = f'column {shown[0]} holds {shown[1]}: a lone surrogate is no text and cannot be written.'
                return {'code': 'CLASSIFIER_CONTRACT', 'message': message, 'facts': {'column': shown[0]}}
    raise AssertionError('no lone surrogate')
