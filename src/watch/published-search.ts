import { rowsInPartition } from '../core/sequence.ts'
import type { Fetched, Message } from '../kafka/index.ts'
import type { Job } from '../model.ts'
import { publishedRecord, rowsUpTo } from '../publish/published-rows.ts'

/** How far before the end of a log the last message of a job is looked for. Markers of transactions take offsets too. */
const BACK = [1, 2, 4]

/** What the last message of a job that was found says. */
export interface LastMessage {
  readonly epoch: number
  /** So many rows of the job are in the partition, or more. */
  readonly rows: number
  /** The rows of the whole job. Null: the message is not its end of input. */
  readonly total: number | null
}

const NO_MESSAGE: LastMessage = { epoch: 0, rows: 0, total: null }

/**
 * Looks for the last messages of jobs in one partition of rows: at the end of its log, before the first rows of each job, and at
 * the first rows of the jobs themselves. It says which offset to fetch next, until it has found all jobs or knows nothing more.
 */
export class PublishedSearch {
  readonly #partition: number
  /** By job. */
  readonly #found = new Map<string, LastMessage>()
  /** Where jobs begin, and was looked: nothing changes there. */
  readonly #tried = new Set<number>()
  /** The jobs that are looked for. */
  #wanted = new Map<string, Job>()
  #end = -1
  /** Where the log ended when its last messages were read. */
  #readEnd = -1
  #nearEnd: number[] = []
  #nearStarts: number[] = []

  constructor(partition: number) {
    this.#partition = partition
  }

  /** Null: no message of the job was found. */
  of(id: string): LastMessage | null {
    return this.#found.get(id) ?? null
  }

  /** Looks for these jobs of the topic in a log that ends here. `all`: all jobs of the topic. Forgets what it knew of others. */
  begin(end: number, jobs: readonly Job[], all: readonly Job[]): void {
    this.#end = end
    for (const id of this.#found.keys()) if (!jobs.some(job => job.id === id)) this.#found.delete(id)
    for (const job of jobs) if (this.#from(job) >= end) this.#found.set(job.id, NO_MESSAGE)
    const open = jobs.filter(job => this.#from(job) < end && (this.of(job.id)?.total ?? null) === null)
    this.#wanted = new Map(open.map(job => [job.id, job]))
    this.#nearEnd = this.#readEnd === end ? [] : this.#offsetsBefore(end)
    const unknown = open.filter(({ id }) => !this.#found.has(id)).map(job => this.#from(job))
    const lowest = Math.min(...unknown)
    // A job to which nobody publishes any more may have had the last message when another one was opened.
    const starts = [...new Set(all.map(job => this.#from(job)))].filter(from => from > lowest && from < end)
    const before = starts.sort((a, b) => b - a).flatMap(from => [from - 1, from - 2])
    const offsets = unknown.length === 0 ? [] : [...new Set([...before, lowest])]
    this.#nearStarts = offsets.filter(offset => offset >= lowest && !this.#tried.has(offset))
  }

  /** The offset to fetch. Null: nothing is left to look for. */
  get next(): number | null {
    return this.#wanted.size === 0 ? null : (this.#nearEnd[0] ?? this.#nearStarts[0] ?? null)
  }

  /** Takes what `next` brought. Returns false if the fetch had no room for it. `isFirst`: it had room for one batch. */
  take(fetched: Fetched | undefined, isFirst: boolean): boolean {
    if (!fetched || (fetched.error !== null && !fetched.outOfRange)) {
      this.#wanted.clear() // the next look asks again
      return true
    }
    const { offset, next, end, messages, outOfRange } = fetched
    const isEmpty = messages.length === 0 && next === offset && !outOfRange
    if (isEmpty && end > offset && !isFirst) return false
    const isNearEnd = this.#nearEnd.length > 0
    if (isNearEnd) this.#nearEnd.shift()
    else this.#tried.add(this.#nearStarts.shift()!)
    // Nobody can read what comes after the beginning of an open transaction.
    if (isNearEnd && isEmpty && end <= offset) this.#nearEnd = this.#offsetsBefore(end)
    this.#note(messages)
    if (!outOfRange && next >= end)
      for (const [id, job] of this.#wanted)
        if (offset <= this.#from(job) && !this.#found.has(id)) this.#found.set(id, NO_MESSAGE)
    if (this.next === null) this.#readEnd = this.#end
    return true
  }

  #note(messages: readonly Message[]): void {
    const seen = new Set<string>()
    for (const message of messages) {
      const record = publishedRecord(message)
      const job = record && this.#wanted.get(record.value.job)
      if (!job) continue
      seen.add(job.id)
      const { epoch, from } = record.value
      const before = this.#found.get(job.id) ?? NO_MESSAGE
      if (epoch < before.epoch) continue
      // A newer producer sends the rows from `from` on itself.
      const known = epoch === before.epoch ? before.rows : rowsInPartition(this.#partition, from, job)
      const isEnd = record.kind === 'end'
      const rows = isEnd ? record.value.rows : rowsUpTo(record.value, { partition: this.#partition, job })
      this.#found.set(job.id, { epoch, rows: Math.max(known, rows), total: isEnd ? record.value.total : null })
    }
    for (const id of seen) this.#wanted.delete(id)
  }

  #from({ rowsFrom }: Job): number {
    return rowsFrom[this.#partition]!
  }

  /** Offsets shortly before this one, where the jobs may have rows. */
  #offsetsBefore(end: number): number[] {
    const from = Math.min(...[...this.#wanted.values()].map(job => this.#from(job)))
    return BACK.map(back => end - back).filter(offset => offset >= from)
  }
}
