import { registerSchemas, type ValueFormat } from '../kafka/index.ts'
import { fingerprintOf, HEADER_BYTES, schemaOf } from './formats.ts'
import type { WireKind } from './record.ts'

/** The id under which a schema registry knows the schema of each record. */
export type RegistryIds = Readonly<Record<WireKind, number>>

/** The subject of each schema in a registry: its full name (RecordNameStrategy), since topics hold several records. */
export const SUBJECTS = {
  job: 'rowmill.Job',
  rows: 'rowmill.Rows',
  end: 'rowmill.EndOfInput',
  result: 'rowmill.Result',
  reject: 'rowmill.Reject',
} as const satisfies Record<WireKind, string>

/** 00 and the id of the schema, four bytes, big-endian. */
const CONFLUENT_HEADER_BYTES = 5

/**
 * The ids of the five records in the registry at `url`. Registers missing schemas. Throws what `registerSchemas`
 * throws.
 */
export async function registerRecords(url: string): Promise<RegistryIds> {
  const text = (kind: WireKind) => JSON.stringify(schemaOf(kind))
  const entries = (Object.keys(SUBJECTS) as WireKind[]).map(kind => [SUBJECTS[kind], text(kind)] as const)
  const ids = await registerSchemas(url, Object.fromEntries(entries))
  const idOf = (kind: WireKind) => ids[SUBJECTS[kind]]!
  return { job: idOf('job'), rows: idOf('rows'), end: idOf('end'), result: idOf('result'), reject: idOf('reject') }
}

/**
 * Confluent wire format in Kafka, and Avro single-object encoding everywhere else: only the header differs. A message
 * with another header is passed on unchanged. So a reader takes both formats, and the codec refuses the rest.
 */
export function wireFormat(ids: RegistryIds): ValueFormat {
  const kinds = Object.keys(ids) as WireKind[]
  const confluent = new Map(kinds.map(kind => [key(singleObjectHeader(kind)), confluentHeader(ids[kind])]))
  const singleObject = new Map(kinds.map(kind => [key(confluentHeader(ids[kind])), singleObjectHeader(kind)]))
  const exchange = (value: Buffer, length: number, headers: ReadonlyMap<string, Buffer>) => {
    const header = headers.get(key(value.subarray(0, length)))
    return header ? Buffer.concat([header, value.subarray(length)]) : value
  }
  return {
    write: value => exchange(value, HEADER_BYTES, confluent),
    read: value => exchange(value, CONFLUENT_HEADER_BYTES, singleObject),
  }
}

function singleObjectHeader(kind: WireKind): Buffer {
  return Buffer.concat([Buffer.of(0xc3, 0x01), fingerprintOf(kind)])
}

function confluentHeader(id: number): Buffer {
  const header = Buffer.alloc(CONFLUENT_HEADER_BYTES)
  header.writeUInt32BE(id, 1)
  return header
}

function key(header: Buffer): string {
  return header.toString('latin1')
}
