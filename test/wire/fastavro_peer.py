"""The other end of the wire in another language: reads and writes rowmill's records with fastavro.

stdin: {"schemas": {kind: path}, "write": [{kind, value}], "read": [{kind, hex}]}; stdout: {"fingerprints": {kind: hex},
"written": [hex], "read": [value]}. Bytes travel in the JSON as {"hex": "..."}.
"""

import io
import json
import sys

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form


def from_json(value):
    return bytes.fromhex(value["hex"]) if set(value) == {"hex"} else value


def to_json(value):
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    raise TypeError(type(value))


def main():
    request = json.load(io.TextIOWrapper(sys.stdin.buffer, "utf-8"), object_hook=from_json)
    schemas, headers = {}, {}
    for kind, path in request["schemas"].items():
        with open(path, encoding="utf-8") as file:
            schema = json.load(file)
        schemas[kind] = fastavro.parse_schema(schema)
        # fastavro gives the fingerprint as the hex of its little-endian bytes.
        headers[kind] = bytes.fromhex("c301" + fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))

    def write(kind, value):
        out = io.BytesIO()
        fastavro.schemaless_writer(out, schemas[kind], value, strict=True)
        return (headers[kind] + out.getvalue()).hex()

    def read(kind, message):
        data = io.BytesIO(bytes.fromhex(message))
        if data.read(10) != headers[kind]:
            raise ValueError(f"not a {kind} message: {message[:20]}")
        value = fastavro.schemaless_reader(data, schemas[kind], None)
        if data.read(1):
            raise ValueError("bytes left after the record")
        return value

    answer = {
        "fingerprints": {kind: header[2:].hex() for kind, header in headers.items()},
        "written": [write(item["kind"], item["value"]) for item in request["write"]],
        # A request has its "hex" key beside "kind", so from_json leaves it alone.
        "read": [read(item["kind"], item["hex"]) for item in request["read"]],
    }
    json.dump(answer, sys.stdout, default=to_json)


main()
