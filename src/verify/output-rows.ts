import { placeOf, rowsLeftInBlock } from '../core/sequence.ts'
import type { Job, Kind, Result, Values } from '../model.ts'
import type { PartitionReadings } from './job-topic.ts'

/** The output of consecutive rows from row `seq` on: for each the rows in OUT, or null if it was rejected. */
export interface OutputPart {
  readonly seq: number
  readonly columns: readonly string[]
  readonly kinds: readonly Kind[]
  readonly rows: readonly (readonly Values[] | null)[]
}

/** The part of a result that counts: the positions [from, end). */
interface ResultPart {
  readonly from: number
  readonly end: number
  readonly columns: readonly string[]
  readonly kinds: readonly Kind[]
  /** One entry for each position from `from` on. */
  readonly rows: OutputPart['rows']
}

/**
 * The output rows of a job in order, straight from its results. It has one cursor for each partition, each holding one
 * result. Arithmetic tells which cursor has the next row. It counts what it reads.
 */
export class OutputRows {
  /** The columns of the first result that has some. */
  columns: readonly string[] | null = null
  rejects = 0
  /** Output rows of the rows that count. */
  rowsOut = 0
  /** For each worker, how many of its rows count. */
  readonly byWorker = new Map<string, number>()
  /** For each attempt, the fingerprint (hex) of each classifier and the first worker that ran it. */
  readonly classifiers = new Map<number, Map<string, string>>()
  readonly #job: Job
  readonly #partitions: readonly PartitionReadings[]
  readonly #held: (ResultPart | null)[]
  #seq = 0

  constructor(job: Job, partitions: readonly PartitionReadings[]) {
    this.#job = job
    this.#partitions = partitions
    this.#held = partitions.map(() => null)
  }

  /** The next row. */
  get seq(): number {
    return this.#seq
  }

  /** The next rows in order. Null if the next row is missing. */
  async next(): Promise<OutputPart | null> {
    const { partition, position } = placeOf(this.#seq, this.#job)
    const held = await this.#holding(partition, position)
    if (!held || held.from > position) return null
    const count = Math.min(held.end - position, rowsLeftInBlock(this.#seq, this.#job))
    const start = position - held.from
    const part = {
      seq: this.#seq,
      columns: held.columns,
      kinds: held.kinds,
      rows: held.rows.slice(start, start + count),
    }
    this.#seq += count
    return part
  }

  /** Reads every partition to its end, for the counts. */
  async drain(): Promise<void> {
    const drainOne = async (partition: PartitionReadings) => {
      while (await this.#read(partition)) {}
    }
    await Promise.all(this.#partitions.map(drainOne))
  }

  async #holding(partition: number, position: number): Promise<ResultPart | null> {
    const held = this.#held[partition] ?? null
    if (held && held.end > position) return held
    const next = await this.#read(this.#partitions[partition]!)
    this.#held[partition] = next
    return next
  }

  /** Reads up to the next result with a row that counts. */
  async #read(partition: PartitionReadings): Promise<ResultPart | null> {
    for (;;) {
      const found = await partition.next()
      if (!found) return null
      const { record, where } = found
      if (record.kind !== 'result') {
        partition.refuse(where, `a ${record.kind} message among the results`)
        continue
      }
      const { first, count, columns, kinds } = record.value
      const from = partition.tally.take(first, count, where)
      const end = first + count
      if (from === end && count > 0) continue // a later copy does not count
      const rows = expand(record.value).slice(from - first)
      this.#count(record.value, from)
      this.rowsOut += rows.reduce((sum, outputs) => sum + (outputs?.length ?? 0), 0)
      if (from < end) return { from, end, columns, kinds, rows }
    }
  }

  #count({ attempt, first, count, by, classifier, columns, rejected }: Result, from: number): void {
    if (!this.columns?.length) this.columns = columns // a result of rejects alone has none
    this.rejects += rejected.filter(({ index }) => first + index >= from).length
    this.byWorker.set(by, (this.byWorker.get(by) ?? 0) + first + count - from)
    const fingerprint = Buffer.from(classifier).toString('hex')
    const classifiers = this.classifiers.get(attempt) ?? new Map<string, string>()
    this.classifiers.set(attempt, classifiers)
    if (!classifiers.has(fingerprint)) classifiers.set(fingerprint, by)
  }
}

/** The output rows of each position of the result. Null is a reject. */
function expand({ count, rows, rejected, outputs }: Result): OutputPart['rows'] {
  const missing = new Set(rejected.map(({ index }) => index))
  let at = 0
  return Array.from({ length: count }, (_, index) => {
    if (missing.has(index)) return null
    const from = at
    at += outputs ? outputs[index]! : 1
    return rows.slice(from, at)
  })
}
