import { registerSchemas, type ValueFormat } from '../kafka/index.ts'
import { CONFLUENT_HEADER_BYTES, fingerprintOf, HEADER_BYTES, type SchemaName, schemaOf } from './formats.ts'
import type { WireKind } from './record.ts'

/** The id under which a schema registry knows each schema. Null: it knows no results with `outputs`, and takes no new schema. */
export type RegistryIds = Readonly<Record<WireKind, number>> & { readonly resultWithOutputs: number | null }

/** The subject of each schema in a registry: its full name (RecordNameStrategy), since topics hold several records. */
export const SUBJECTS = {
  job: 'rowmill.Job',
  rows: 'rowmill.Rows',
  end: 'rowmill.EndOfInput',
  result: 'rowmill.Result',
  reject: 'rowmill.Reject',
} as const satisfies Record<WireKind, string>

/**
 * The ids of the schemas in the registry at `url`. Registers missing schemas. Throws what `registerSchemas` throws, except
 * for the second schema of results: where somebody else must register schemas, it may be missing, and few jobs need it.
 */
export async function registerRecords(url: string): Promise<RegistryIds> {
  const text = (name: SchemaName) => JSON.stringify(schemaOf(name))
  const entries = (Object.keys(SUBJECTS) as WireKind[]).map(kind => [SUBJECTS[kind], text(kind)] as const)
  const ids = await registerSchemas(url, Object.fromEntries(entries))
  const idOf = (kind: WireKind) => ids[SUBJECTS[kind]]!
  const later = await registerSchemas(url, { [SUBJECTS.result]: text('resultWithOutputs') }).catch(() => null)
  return {
    job: idOf('job'),
    rows: idOf('rows'),
    end: idOf('end'),
    result: idOf('result'),
    resultWithOutputs: later?.[SUBJECTS.result] ?? null,
    reject: idOf('reject'),
  }
}

/**
 * Confluent wire format in Kafka, and Avro single-object encoding everywhere else: only the header differs. A message
 * with another header is passed on unchanged. So a reader takes both formats, and the codec refuses the rest.
 */
export function wireFormat(ids: RegistryIds): ValueFormat {
  const headers = (Object.keys(ids) as SchemaName[]).flatMap(name =>
    ids[name] === null ? [] : [{ single: singleObjectHeader(name), confluent: confluentHeader(ids[name]) }],
  )
  const confluent = new Map(headers.map(({ single, confluent }) => [key(single), confluent]))
  const singleObject = new Map(headers.map(({ single, confluent }) => [key(confluent), single]))
  const exchange = (value: Buffer, length: number, headers: ReadonlyMap<string, Buffer>) => {
    const header = headers.get(key(value.subarray(0, length)))
    return header ? Buffer.concat([header, value.subarray(length)]) : value
  }
  return {
    write: value => exchange(value, HEADER_BYTES, confluent),
    read: value => exchange(value, CONFLUENT_HEADER_BYTES, singleObject),
  }
}

function singleObjectHeader(name: SchemaName): Buffer {
  return Buffer.concat([Buffer.of(0xc3, 0x01), fingerprintOf(name)])
}

function confluentHeader(id: number): Buffer {
  const header = Buffer.alloc(CONFLUENT_HEADER_BYTES)
  header.writeUInt32BE(id, 1)
  return header
}

function key(header: Buffer): string {
  return header.toString('latin1')
}
