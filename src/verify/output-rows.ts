import { placeOf, rowsLeftInBlock } from '../core/sequence.ts'
import type { Job, Result, Values } from '../model.ts'
import type { PartitionReadings } from './job-topic.ts'

/** Consecutive rows of the output from row `seq` on; null stands for a row that was rejected. */
export interface OutputRun {
  readonly seq: number
  readonly columns: readonly string[]
  readonly rows: readonly (Values | null)[]
}

/** The part of a result that counts: positions `from` up to and without `behind`. */
interface Held {
  readonly from: number
  readonly behind: number
  readonly columns: readonly string[]
  /** One entry for each position from `from` on. */
  readonly rows: readonly (Values | null)[]
}

/**
 * The output rows of a job in order, straight from its results: one cursor for each partition, each with one result in
 * hand. Which cursor has the next row is arithmetic. Counts what it meets on the way.
 */
export class OutputRows {
  /** The columns that the first result told. */
  columns: readonly string[] | null = null
  rejects = 0
  /** Worker to the rows that count of it. */
  readonly byWorker = new Map<string, number>()
  /** By attempt, each classifier, as hex, to the first worker that ran it. */
  readonly classifiers = new Map<number, Map<string, string>>()
  readonly #job: Job
  readonly #partitions: readonly PartitionReadings[]
  readonly #held: (Held | null)[]
  #seq = 0

  constructor(job: Job, partitions: readonly PartitionReadings[]) {
    this.#job = job
    this.#partitions = partitions
    this.#held = partitions.map(() => null)
  }

  /** The row that is next. */
  get seq(): number {
    return this.#seq
  }

  /** The next rows in order; null where the next one is not there. */
  async next(): Promise<OutputRun | null> {
    const { partition, position } = placeOf(this.#seq, this.#job)
    const held = await this.#holding(partition, position)
    if (!held || held.from > position) return null
    const count = Math.min(held.behind - position, rowsLeftInBlock(this.#seq, this.#job))
    const start = position - held.from
    const run = { seq: this.#seq, columns: held.columns, rows: held.rows.slice(start, start + count) }
    this.#seq += count
    return run
  }

  /** Reads on to the end of every partition, for the counts. */
  async drain(): Promise<void> {
    const drainOne = async (partition: PartitionReadings) => {
      while (await this.#read(partition)) {}
    }
    await Promise.all(this.#partitions.map(drainOne))
  }

  async #holding(partition: number, position: number): Promise<Held | null> {
    const held = this.#held[partition] ?? null
    if (held && held.behind > position) return held
    const next = await this.#read(this.#partitions[partition]!)
    this.#held[partition] = next
    return next
  }

  /** Reads up to the next result that has a row that counts. */
  async #read(partition: PartitionReadings): Promise<Held | null> {
    for (;;) {
      const found = await partition.next()
      if (!found) return null
      const { record, where } = found
      if (record.kind !== 'result') {
        partition.refuse(where, `a ${record.kind} message among the results`)
        continue
      }
      const { first, count, columns } = record.value
      const from = partition.tally.take(first, count, where)
      const behind = first + count
      if (from === behind && count > 0) continue // what a later copy says does not count
      this.#count(record.value, from)
      if (from < behind) return { from, behind, columns, rows: expand(record.value).slice(from - first) }
    }
  }

  #count({ attempt, first, count, by, classifier, columns, rejected }: Result, from: number): void {
    this.columns ??= columns
    this.rejects += rejected.filter(({ index }) => first + index >= from).length
    this.byWorker.set(by, (this.byWorker.get(by) ?? 0) + first + count - from)
    const fingerprint = Buffer.from(classifier).toString('hex')
    const classifiers = this.classifiers.get(attempt) ?? new Map<string, string>()
    this.classifiers.set(attempt, classifiers)
    if (!classifiers.has(fingerprint)) classifiers.set(fingerprint, by)
  }
}

/** One entry for each position of the result, null for the rejected. */
function expand({ rows, rejected }: Result): readonly (Values | null)[] {
  if (rejected.length === 0) return rows
  const all: (Values | null)[] = [...rows]
  for (const { index } of rejected) all.splice(index, 0, null) // the indices ascend
  return all
}
