import { inspect } from 'node:util'
import { type ErrorFacts, RowmillError } from '../errors.ts'
import type { EndOfInput, Job, Reject, Result, Rows, Values } from '../model.ts'
import { joinBytes } from '../support/join-bytes.ts'
import { scan } from './avro-scan.ts'
import { CONFLUENT_HEADER_BYTES, type Format, formatOf, formats, HEADER_BYTES } from './formats.ts'
import { packedNumber, packRows, unpackRows } from './packed-rows.ts'
import type { WireKind, WireRecord } from './record.ts'
import { flawOf, headFlaw, loneSurrogate } from './record-flaws.ts'

/** The largest message: the topics' max.message.bytes of 16 MiB, less 64 KiB for Kafka's own bytes. */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024 - 64 * 1024

const READING = 'read this message'
const END_OF_ARRAY = Buffer.from([0])
const SCRATCH_BYTES = 64 * 1024
const SCRATCH_KEPT_BYTES = 1024 * 1024

let lazyScratch: Buffer | null = null

export function encodeJob(job: Job): Buffer {
  return encode({ kind: 'job', value: job })
}

export function encodeRows(rows: Rows): Buffer {
  return encodePacked({ kind: 'rows', value: rows })
}

/**
 * As `encodeRows`. `parts` are the rows, one after the other, as in `PackedRows`: `head.count` rows in all, at least one. The
 * message has memory of its own.
 */
export function encodePackedRows(head: Omit<Rows, 'rows'>, parts: readonly Uint8Array[]): Buffer<ArrayBuffer> {
  const record = { kind: 'rows', value: { ...head, rows: [] } } as const
  const format = formatOf(record)
  const flaw = headFlaw(head, head.count)
  if (flaw !== null) throw refusal(format, flaw)
  const start = encodeUnjudged(format, record)
  const pieces = [start.subarray(0, -1), packedNumber(head.count), ...parts, END_OF_ARRAY]
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
  checkSize(format, length)
  return joinBytes(pieces)
}

export function encodeEndOfInput(end: EndOfInput): Buffer {
  return encode({ kind: 'end', value: end })
}

/** The message has an ArrayBuffer of its own, of its size: it may be transferred to another thread. */
export function encodeResult(result: Result): Buffer<ArrayBuffer> {
  return encodePacked({ kind: 'result', value: result })
}

export function encodeReject(reject: Reject): Buffer {
  return encode({ kind: 'reject', value: reject })
}

/**
 * The message for a record, in Avro single-object encoding (docs/wire-format.md). `decode` reads it.
 * Throws ROW_MALFORMED naming the field if the record breaks a rule of the wire format.
 */
export function encode(record: WireRecord): Buffer {
  const format = formatOf(record)
  const bytes = encodeUnjudged(format, record)
  const flaw = flawOf(record)
  if (flaw !== null) throw refusal(format, flaw)
  return bytes
}

function encodeUnjudged(format: Format, record: WireRecord): Buffer {
  const surrogate = loneSurrogate(record.value)
  if (surrogate !== null) {
    throw refusal(format, `${surrogate.slice(1)} holds half a surrogate pair, which UTF-8 cannot carry. Replace it`)
  }
  const bytes = write(format, toAvsc(record))
  checkSize(format, bytes.length)
  scanBody(format, bytes, `write this ${format.name}`)
  return bytes
}

function checkSize(format: Format, size: number): void {
  if (size <= MAX_MESSAGE_BYTES) return
  throw refusal(format, `it takes ${size} bytes, a message holds ${MAX_MESSAGE_BYTES}. Cut it, or its longest row`)
}

function refusal({ name }: Format, what: string): RowmillError {
  return malformed(what, { record: name }, `write this ${name}`)
}

/** Like `encode`, but writes all rows at once. That is possible because they are the last field of both records. */
function encodePacked(record: Extract<WireRecord, { kind: 'rows' | 'result' }>): Buffer<ArrayBuffer> {
  const rows = packRows(record.value.rows)
  // `encode` throws: it says why rows cannot be packed, or what is wrong with the record.
  if (rows === null || flawOf(record) !== null) return Buffer.from(new Uint8Array(encode(record)).buffer)
  const format = formatOf(record)
  const head = encodeUnjudged(format, { ...record, value: { ...record.value, rows: [] } } as WireRecord)
  const headBytes = head.length - 1 // without the empty array
  checkSize(format, headBytes + rows.length)
  const bytes = Buffer.allocUnsafeSlow(headBytes + rows.length)
  head.copy(bytes, 0, 0, headBytes)
  bytes.write(rows, headBytes, 'latin1')
  return bytes
}

/**
 * Reads one message. The records are plain objects that share no memory with `bytes`.
 * Throws ROW_MALFORMED, and nothing else, for anything that is not exactly one record of the wire format. Lengths and
 * counts are checked against the bytes before anything is allocated. The error knows no topic, partition or offset: the
 * caller adds them.
 */
export function decode(bytes: Uint8Array | null): WireRecord {
  if (bytes === null || bytes.length === 0) throw malformed('the message is empty', { bytes: 0 })
  if (bytes.length > MAX_MESSAGE_BYTES) {
    throw malformed(`${bytes.length} bytes, a message holds ${MAX_MESSAGE_BYTES}`, { bytes: bytes.length })
  }
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  // The first byte tells the encoding: c3 is Avro's single-object encoding, 00 is Confluent's.
  switch (buffer[0]) {
    case 0xc3:
      return decodeSingleObject(buffer)
    case 0x00:
      throw unknownSchema(buffer)
    default:
      throw malformed(
        `it begins with ${hex(buffer, 0, 2)}, not with c301 (Avro single-object encoding). Does another program write here?`,
        { bytes: bytes.length },
      )
  }
}

/**
 * The values of a rows message. `decodeHead` (rows-head.ts) has checked the message, so nothing is checked again. The
 * values share no memory with `bytes`.
 */
export function decodeValues(bytes: Uint8Array): readonly Values[] {
  return read(formats().rows, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)).rows as readonly Values[]
}

/** A result without its rows. This process has just encoded the message, so nothing is checked. */
export function decodeResultHead(bytes: Buffer): Omit<Result, 'rows'> {
  const known = [formats().result, formats().resultWithOutputs]
  const { headType } = known.find(({ header }) => header.equals(bytes.subarray(0, HEADER_BYTES)))!
  return { outputs: null, ...headType!.decode(bytes, HEADER_BYTES).value }
}

function decodeSingleObject(buffer: Buffer): WireRecord {
  if (buffer.length < HEADER_BYTES || buffer[1] !== 0x01) {
    throw malformed(`it begins with ${hex(buffer, 0, 10)}, not with c301 and an 8-byte fingerprint`, {
      bytes: buffer.length,
    })
  }
  for (const format of Object.values(formats())) {
    if (buffer.compare(format.header, 0, HEADER_BYTES, 0, HEADER_BYTES) !== 0) continue
    scanBody(format, buffer, READING)
    const record = fromAvsc(format.kind, read(format, buffer))
    const flaw = flawOf(record)
    if (flaw !== null) throw malformed(`${format.name}: ${flaw}`, { record: format.name })
    return record
  }
  const fingerprint = hex(buffer, 2, HEADER_BYTES)
  throw malformed(`unknown schema fingerprint ${fingerprint}. Was it written by another version of rowmill?`, {
    fingerprint,
  })
}

/** The fields of a record. Its bytes were checked before. */
function read({ type, headType }: Format, bytes: Buffer): Record<string, unknown> {
  if (!headType) return type.decode(bytes, HEADER_BYTES).value
  const { value, offset } = headType.decode(bytes, HEADER_BYTES)
  return { ...value, rows: unpackRows(bytes, offset) }
}

/** The error for Confluent wire format: confluent.ts passes on messages whose id its registry does not have. */
function unknownSchema(buffer: Buffer): RowmillError {
  if (buffer.length < CONFLUENT_HEADER_BYTES)
    return malformed(`it begins with 00 and has ${buffer.length} bytes`, { bytes: buffer.length })
  const schemaId = buffer.readUInt32BE(1)
  const what =
    `it begins with 00 and schema id ${schemaId} (Confluent wire format), which is not known here. ` +
    'Give --schema-registry URL, the registry that its writer uses, or stop the other program that writes here'
  return malformed(what, { schemaId })
}

/** Whether a message in Confluent wire format with an unknown schema id has the body of a record of this job. */
export function isJobBehindId(bytes: Uint8Array, id: string): boolean {
  try {
    const record = decode(Buffer.concat([formats().job.header, bytes.subarray(CONFLUENT_HEADER_BYTES)]))
    return record.kind === 'job' && record.value.id === id
  } catch {
    return false
  }
}

/** Whether `decode` refused a message that a reader with another schema registry could read. */
export function isOfUnknownSchema(error: unknown): error is RowmillError {
  return error instanceof RowmillError && error.facts['schemaId'] !== undefined
}

function scanBody({ name, skip }: Format, bytes: Buffer, doing: string): void {
  scan(skip, bytes, { record: name, from: HEADER_BYTES, error: (what, facts) => malformed(what, facts, doing) })
}

/** Writes header and body. If the buffer is too small, avsc throws nothing and returns minus the missing bytes. */
function write(format: Format, value: unknown): Buffer {
  const { type, header } = format
  let scratch = lazyScratch ?? Buffer.allocUnsafeSlow(SCRATCH_BYTES)
  try {
    let end = type.encode(value, scratch, HEADER_BYTES)
    if (end < 0) {
      scratch = Buffer.allocUnsafeSlow(scratch.length - end)
      end = type.encode(value, scratch, HEADER_BYTES)
    }
    header.copy(scratch)
    return Buffer.from(scratch.subarray(0, end))
  } catch (cause) {
    let where = String(cause)
    type.isValid(value, {
      errorHook: (path, found, expected) => {
        where = `${path.join('.')} is ${inspect(found, { depth: 0 }).slice(0, 40)} (${typeof found}), not a valid ${expected.typeName}`
      },
    })
    throw refusal(format, where)
  } finally {
    lazyScratch = scratch.length <= SCRATCH_KEPT_BYTES ? scratch : null
  }
}

/** avsc takes bytes as Buffer only. */
function toAvsc({ kind, value }: WireRecord): unknown {
  const toBuffer = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (kind === 'result') return { ...value, classifier: toBuffer(value.classifier) }
  if (kind === 'reject' && value.raw !== null) return { ...value, raw: toBuffer(value.raw) }
  if (kind === 'end') return { ...value, refused: 0 } // a field of the format that nobody uses
  return value
}

/** Plain objects, as the model has them. avsc returns instances of its own classes, and slices of its own pool. */
function fromAvsc(kind: WireKind, instance: unknown): WireRecord {
  switch (kind) {
    case 'job': {
      const job = instance as Job
      const reason = job.reason && { ...job.reason }
      const source = job.source && { ...job.source }
      return { kind, value: { ...job, reason, source, options: job.options.map(option => ({ ...option })) } }
    }
    case 'result': {
      const result = instance as Result
      const classifier = new Uint8Array(result.classifier)
      const { outputs = null } = result // the first schema of results has no such field
      return { kind, value: { ...result, classifier, rejected: result.rejected.map(row => ({ ...row })), outputs } }
    }
    case 'reject': {
      const reject = instance as Reject
      return { kind, value: { ...reject, raw: reject.raw && new Uint8Array(reject.raw) } }
    }
    case 'end': {
      const { refused: _, ...end } = instance as EndOfInput & { refused: number }
      return { kind, value: end }
    }
    default:
      return { kind, value: { ...(instance as Rows) } }
  }
}

/** The error for malformed bytes. */
export function malformed(what: string, facts: ErrorFacts, doing = READING): RowmillError {
  return new RowmillError('ROW_MALFORMED', `cannot ${doing}: ${what}${/[.?]$/.test(what) ? '' : '.'}`, facts)
}

function hex(buffer: Buffer, start: number, end: number): string {
  return buffer.toString('hex', start, end)
}
