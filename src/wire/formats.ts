import { readFileSync } from 'node:fs'
import avro from 'avsc'
import { compileSkip, type Skip } from './avro-scan.ts'
import { crc64Avro } from './crc64-avro.ts'
import type { WireKind, WireRecord } from './record.ts'

/**
 * The schemas by name. A result has two of them, so that every result which an older rowmill can read is written as that one
 * wrote it. The other one adds the field `outputs`.
 */
export type SchemaName = WireKind | 'resultWithOutputs'

const FILES: Readonly<Record<SchemaName, string>> = {
  job: 'job',
  rows: 'rows',
  end: 'end-of-input',
  result: 'result',
  resultWithOutputs: 'result-with-outputs',
  reject: 'reject',
}

/** c3 01 and the fingerprint, in front of every record. */
export const HEADER_BYTES = 10
/** The header in Confluent wire format: 00 and the id of the schema in a registry, four bytes, big-endian. */
export const CONFLUENT_HEADER_BYTES = 5

/** How records of one schema are written and read. */
export interface Format {
  readonly kind: WireKind
  readonly name: string
  readonly type: avro.Type
  /** The record without its last field, if that is the array of rows. Null: it is not. */
  readonly headType: avro.Type | null
  /** c3 01 and the fingerprint. */
  readonly header: Buffer
  readonly skip: Skip
}

let lazyFormats: Readonly<Record<SchemaName, Format>> | null = null

/** The formats of all schemas. They are read at the first call. */
export function formats(): Readonly<Record<SchemaName, Format>> {
  lazyFormats ??= {
    job: readFormat('job'),
    rows: readFormat('rows'),
    end: readFormat('end'),
    result: readFormat('result'),
    resultWithOutputs: readFormat('resultWithOutputs'),
    reject: readFormat('reject'),
  }
  return lazyFormats
}

/** The schema of a record, from its file in schemas/. */
export function schemaOf(name: SchemaName): ReturnType<typeof JSON.parse> {
  return JSON.parse(readFileSync(new URL(`./schemas/${FILES[name]}.avsc`, import.meta.url), 'utf8'))
}

/** The format of a record. */
export function formatOf({ kind, value }: WireRecord): Format {
  return formats()[kind === 'result' && value.outputs !== null ? 'resultWithOutputs' : kind]
}

function readFormat(name: SchemaName): Format {
  const schema = schemaOf(name)
  const kind = name === 'resultWithOutputs' ? 'result' : name
  const type = avro.Type.forSchema(schema, { omitRecordMethods: true })
  // Without options, `schema()` is the Parsing Canonical Form.
  const fingerprint = crc64Avro(Buffer.from(JSON.stringify(type.schema())))
  const header = Buffer.from([0xc3, 0x01, 0, 0, 0, 0, 0, 0, 0, 0])
  header.writeBigUInt64LE(fingerprint, 2)
  const fields = schema.fields.filter(({ name }: { name: string }) => name !== 'rows')
  const hasRows = kind === 'rows' || kind === 'result'
  const headType = hasRows ? avro.Type.forSchema({ ...schema, fields }, { omitRecordMethods: true }) : null
  return { kind, name: schema.name, type, headType, header, skip: compileSkip(schema) }
}

/** The 8 bytes that name the record's schema on the wire: CRC-64-AVRO of its canonical form, little-endian. */
export function fingerprintOf(name: SchemaName): Buffer {
  return Buffer.from(formats()[name].header.subarray(2))
}
