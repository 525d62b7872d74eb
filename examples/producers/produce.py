"""Publishes rows to a job of rowmill without rowmill: Avro as docs/wire-format.md has it.

    pip install confluent-kafka fastavro
    rowmill jobs open --job visits --columns SKU,TEXT          # once
    python produce.py visits rows.csv                          # a CSV file with a header, or
    python produce.py visits < rows.jsonl                      # a line for each row: {"SKU": 17, "TEXT": "shoe"}

For a cluster with TLS or a login, add --command-config client.properties (README.md says which names it reads).

A row is safe when Kafka has acknowledged it from all in-sync replicas. Exit 0: every row is. Exit 1: the first one that
is not is named on standard error. What is sent twice is there twice.
"""

import argparse
import csv
import io
import json
import os
import re
import sys
from pathlib import Path

import fastavro
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from fastavro.schema import fingerprint, to_parsing_canonical_form

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = next((ROOT / at for at in ('src/wire/schemas', 'dist/src/wire/schemas') if (ROOT / at).exists()), Path('schemas'))
BROKERS = os.environ.get('ROWMILL_BROKERS', '127.0.0.1:9092')
MAX_BYTES = 16 * 1024 * 1024 - 64 * 1024


# Names of Java clients, for files in PEM, and the names that librdkafka has for the same.
JAVA_NAMES = {
    'ssl.truststore.location': 'ssl.ca.location',
    'ssl.truststore.certificates': 'ssl.ca.pem',
    'ssl.keystore.certificate.chain': 'ssl.certificate.pem',
    'ssl.keystore.key': 'ssl.key.pem',
}
# librdkafka does not have these. The store of ssl.keystore.location is PKCS#12 for it.
NOT_FOR_KAFKA = ('ssl.truststore.type', 'ssl.keystore.type', 'schema.registry.', 'basic.auth.')
JAAS_LOGIN = re.compile(r"""\b(username|password)\s*=\s*(["'])((?:\\.|(?!\2).)*)\2""")


class Failure(Exception):
    """What ends this program with exit code 1."""


def read_properties(path):
    """The properties of a Kafka client in a file, as rowmill takes it: with the names of librdkafka or of Java."""
    properties = {}
    lines = re.sub(r'(?<!\\)((?:\\\\)*)\\\n[ \t]*', r'\1', path.read_text(encoding='utf-8')).split('\n')
    for number, line in enumerate(lines, 1):
        name, equals, value = (part.strip() for part in line.partition('='))
        if name.startswith(('#', '!', *NOT_FOR_KAFKA)) or not line.strip():
            continue
        if not equals:
            raise Failure(f'{path}, line {number}: must be NAME=VALUE')
        value = unescape(value)
        if name == 'sasl.jaas.config':
            properties.update((f'sasl.{key}', unescape(text)) for key, _, text in JAAS_LOGIN.findall(value))
        else:
            properties[JAVA_NAMES.get(name, name)] = value.replace('\\n', '\n') if 'BEGIN' in value else value
    if 'sasl.oauthbearer.token.endpoint.url' in properties:
        properties.setdefault('sasl.oauthbearer.method', 'oidc')  # rowmill and Java need no such property
    return properties


def unescape(text):
    return re.sub(r'\\(.)', lambda found: {'n': '\n', 't': '\t'}.get(found[1], found[1]), text)


def end_if_refused(error):
    """librdkafka retries everything. A login or a certificate that is refused stays so."""
    if error.code() in (KafkaError._AUTHENTICATION, KafkaError._SSL):
        raise Failure(error.str())


def client(kind, options, settings):
    """A consumer or a producer with the properties of the user. `settings` override them."""
    settings = {**settings, 'bootstrap.servers': options.brokers, 'error_cb': end_if_refused}
    try:
        return kind({**options.properties, **settings})
    except KafkaException as error:
        raise Failure(f'{options.command_config}: {error.args[0].str()}') from error


class Record:
    """One kind of record: bytes to values and back. In front of each stand c3 01 and the schema's fingerprint."""

    def __init__(self, path):
        schema = json.loads(path.read_text(encoding='utf-8'))
        self.schema = fastavro.parse_schema(schema)
        self.header = bytes.fromhex('c301' + fingerprint(to_parsing_canonical_form(schema), 'CRC-64-AVRO'))

    def encode(self, value):
        out = io.BytesIO()
        out.write(self.header)
        fastavro.schemaless_writer(out, self.schema, value)
        return out.getvalue()

    def decode(self, message):
        """The record, or None where the message is another one."""
        if message is None or not message.startswith(self.header):
            return None
        return fastavro.schemaless_reader(io.BytesIO(message[len(self.header) :]), self.schema, None)


def read_job(job_id, options):
    """What `jobs` says of the job: its first record has the columns and the topic, a later one may have ended it."""
    record = Record(options.schemas / 'job.avsc')
    topic = f'{options.pipeline}.jobs'
    settings = {'group.id': 'produce.py', 'enable.auto.commit': False, 'enable.partition.eof': True}
    consumer = client(Consumer, options, settings)
    try:
        consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        first, silent_seconds = None, 0
        while True:
            message = consumer.poll(1)  # what end_if_refused raises comes out only when this second is over
            if message is None:
                silent_seconds += 1
                if silent_seconds >= options.timeout:
                    raise Failure(f'no answer from {options.brokers} for {options.timeout} s')
                continue
            silent_seconds = 0
            if message.error() and message.error().code() == KafkaError._PARTITION_EOF:
                break
            if message.error() and message.error().code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
                continue  # librdkafka looks for the group, but a consumer with an assignment needs no right to it
            if message.error():
                raise Failure(f'{topic}: {message.error()}')
            found = record.decode(message.value())
            if found is None or found['id'] != job_id:
                continue
            first = first or found
            if found['state'] in ('failed', 'cancelled'):
                raise Failure(f'job {job_id} is over: {found["reason"] and found["reason"]["message"]}')
    finally:
        consumer.close()
    if first is None:
        raise Failure(f'no job {job_id} in {topic}: open it with rowmill jobs open --job {job_id} --columns ...')
    if first['sequenced']:
        raise Failure(f'job {job_id} numbers its rows: only the program that opened it can publish to it')
    return first


def read_rows(path, columns):
    """Yields (where, values) for each row, the values in the order of the columns."""
    if path is None:
        # Numbers keep the text they have in the JSON: 1.50 stays 1.50.
        read = json.JSONDecoder(parse_int=str, parse_float=str).decode
        for line, text in enumerate(sys.stdin, 1):
            where = f'line {line}'
            try:
                yield where, in_order(read(text), columns, where)
            except json.JSONDecodeError as error:
                raise Failure(f'{where}: {error}') from error
    else:
        with open(path, newline='', encoding='utf-8-sig') as file:
            rows = csv.DictReader(file, strict=True)
            for row in rows:
                where = f'line {rows.line_num}'
                if None in row or None in row.values():
                    raise Failure(f'{where}: it has not as many values as the header')
                yield where, in_order(row, columns, where)


def in_order(row, columns, where):
    if not isinstance(row, dict):
        raise Failure(f'{where}: not an object with the values by column name')
    for column in columns:
        if column not in row:
            raise Failure(f'{where}: column {column} is missing')
    for name in row:
        if name not in columns:
            raise Failure(f'{where}: the job has no column {name}')
    return [as_text(row[column], column, where) for column in columns]


def as_text(value, column, where):
    if isinstance(value, str):
        return value
    if value is None:
        return ''
    if isinstance(value, bool):
        return 'true' if value else 'false'
    raise Failure(f'{where}: column {column} is no single value')


class Sender:
    """Sends rows and keeps count of what Kafka acknowledged, and of the first that it did not."""

    def __init__(self, job, options):
        self.job = job
        self.record = Record(options.schemas / 'rows.avsc')
        self.sent = self.safe = 0
        self.fault = None
        settings = {
            'acks': 'all',
            'enable.idempotence': True,  # what librdkafka tries again is there once
            'message.max.bytes': MAX_BYTES,
            'message.timeout.ms': options.timeout * 1000,
        }
        self.producer = client(Producer, options, settings)

    def send(self, where, values):
        """One row in one message, in any partition below those of the job."""
        row = {'job': self.job['id'], 'epoch': 0, 'from': 0, 'seq': None, 'count': 1, 'line': None, 'lineSteps': None}
        message = self.record.encode({**row, 'rows': [values]})
        to = {'topic': self.job['topic'], 'key': self.job['id'], 'partition': self.sent % self.job['partitions']}
        while not self.fault:
            try:
                self.producer.produce(value=message, **to, on_delivery=lambda error, _: self.delivered(where, error))
                self.sent += 1
                break
            except BufferError:
                self.producer.poll(1)  # until there is room again
            except KafkaException as error:
                raise Failure(f'{where}: {error.args[0].str()}') from error
        self.producer.poll(0)
        self.check()

    def delivered(self, where, error):
        if error is None:
            self.safe += 1
        elif self.fault is None:
            self.fault = Failure(f'{where}: not acknowledged: {error.str()}')

    def finish(self):
        self.producer.flush()
        self.check()

    def check(self):
        if self.fault:
            raise self.fault


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('job')
    parser.add_argument('csv', nargs='?', help='a CSV file (default: JSON lines from standard input)')
    parser.add_argument('--brokers', help='HOST:PORT,... (default: bootstrap.servers of the file, else ROWMILL_BROKERS)')
    parser.add_argument('--command-config', type=Path, metavar='FILE', help='the properties of a Kafka client')
    parser.add_argument('--pipeline', default=os.environ.get('ROWMILL_PIPELINE', 'rowmill'))
    parser.add_argument('--schemas', type=Path, default=SCHEMAS, help='the folder with job.avsc and rows.avsc')
    parser.add_argument('--timeout', type=int, default=60, help='how many seconds to wait for the broker')
    options = parser.parse_args()
    sender = None
    try:
        options.properties = read_properties(options.command_config) if options.command_config else {}
        options.brokers = options.brokers or options.properties.get('bootstrap.servers') or BROKERS
        job = read_job(options.job, options)
        sender = Sender(job, options)
        try:
            for where, values in read_rows(options.csv, job['columns']):
                sender.send(where, values)
        finally:
            sender.finish()
    except (Failure, OSError, csv.Error, UnicodeError) as error:
        print(f'produce.py: {error}', file=sys.stderr)
        return 1
    finally:
        if sender:
            print(f'produce.py: {sender.safe} rows are safe', file=sys.stderr)
    return 0


if __name__ == '__main__':
    sys.exit(main())
