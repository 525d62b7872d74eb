import type { Fetched, PartitionOffset } from '../kafka/index.ts'
import { keyOf } from '../kafka/topic-partition.ts'
import type { Job } from '../model.ts'
import type { RowsInLog } from './facts.ts'
import { PublishedSearch } from './published-search.ts'

/** The most fetches of one look. What they do not bring is looked for in the next look. */
const MOST_FETCHES = 8

/** The logs of rows, and how they are read. */
export interface RowLogs {
  /** All jobs of the pipeline. */
  readonly all: readonly Job[]
  /** Where each partition of rows ends. */
  readonly ends: readonly PartitionOffset[]
  /** Fetches once from each of these partitions. The first one gets at least one batch, the others may get nothing. */
  fetch(offsets: readonly PartitionOffset[]): Promise<readonly Fetched[]>
}

interface Search {
  readonly at: PartitionOffset
  readonly search: PublishedSearch
}

/**
 * How many rows of a job are in the log, by its last message in each partition: a publisher sends the rows of a partition in
 * order. This is exact for a job that has the last message, and for one that got no message since another job was opened.
 * Elsewhere rows of other jobs may hide later messages, so there are at least so many.
 */
export class PublishedBook {
  readonly #searches = new Map<string, PublishedSearch>()
  /** The partitions that had no answer in the last look. */
  #late = new Set<string>()

  /** Looks for these jobs, where logs have grown or were not read. Forgets all others. */
  async look(jobs: readonly Job[], { all, ends, fetch }: RowLogs): Promise<void> {
    const searches = ends.map(at => ({ at, search: this.#searchOf(at) }))
    for (const { at, search } of searches) {
      const isHere = ({ topic, rowsFrom }: Job) => topic === at.topic && at.partition < rowsFrom.length
      search.begin(at.offset, jobs.filter(isHere), all.filter(isHere))
    }
    const isOpen = ({ search }: Search) => search.next !== null
    let left = lastFirst(searches.filter(isOpen), ({ at }) => !this.#late.has(keyOf(at)))
    for (let fetches = 0; left.length > 0 && fetches < MOST_FETCHES; fetches++) {
      const fetched = await fetch(left.map(({ at, search }) => ({ ...at, offset: search.next! })))
      const answers = new Map(fetched.map(answer => [keyOf(answer), answer]))
      const answered = new Set(left.filter(({ at, search }, i) => search.take(answers.get(keyOf(at)), i === 0)))
      left = lastFirst(left, each => answered.has(each)).filter(isOpen)
    }
    this.#late = new Set(left.map(({ at }) => keyOf(at)))
  }

  /** Null: no message of the job was found. */
  of({ id, topic, rowsFrom }: Job): RowsInLog | null {
    const found = rowsFrom.map((_, partition) => this.#searches.get(keyOf({ topic, partition }))?.of(id) ?? null)
    if (found.every(last => last === null)) return null
    const total = found.find(last => last?.total != null)?.total ?? null
    return { rows: found.map(last => last?.rows ?? null), total }
  }

  #searchOf(at: PartitionOffset): PublishedSearch {
    const search = this.#searches.get(keyOf(at)) ?? new PublishedSearch(at.partition)
    this.#searches.set(keyOf(at), search)
    return search
  }
}

/** The same, those for which it is true at the end. */
function lastFirst<T>(all: readonly T[], isLast: (each: T) => boolean): T[] {
  return [...all.filter(each => !isLast(each)), ...all.filter(isLast)]
}
