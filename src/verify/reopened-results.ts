import type { EndOfInput, Result } from '../model.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { type JobMessage, JobTopic, type JobTopicOptions, type PartitionReadings, TopicReadings } from './job-topic.ts'
import { Tally } from './tally.ts'

/** For each position, the attempt that decides it, plus 1. 0: no attempt has it. */
type Deciding = number[]

/**
 * The results of a job with several attempts. A first reading notes for each position the last attempt that has it. A
 * second reading takes the position from that attempt. It has one reader for each attempt, since each attempt goes through
 * the positions in order.
 */
export class ReopenedResults extends TopicReadings {
  readonly #survey: JobTopic
  readonly #attempts: readonly JobTopic[]

  private constructor(survey: JobTopic, attempts: readonly JobTopic[], counting: ReadonlySet<number>) {
    super(
      survey.topic,
      survey.partitions.map((surveyed, i) => {
        const readers = attempts.map(({ partitions }) => partitions[i]!)
        return new ReopenedPartition(surveyed, readers, counting)
      }),
    )
    this.#survey = survey
    this.#attempts = attempts
  }

  /** `attempts` are those whose results count. */
  static async open(
    context: PipelineContext,
    { attempts, ...options }: JobTopicOptions & { attempt: number; attempts: ReadonlySet<number> },
  ): Promise<ReopenedResults> {
    const opened: JobTopic[] = []
    try {
      for (let i = 0; i <= options.attempt + 1; i++) opened.push(await JobTopic.open(context, options))
      return new ReopenedResults(opened[0]!, opened.slice(1), attempts)
    } catch (error) {
      await Promise.all(opened.map(topic => topic.close()))
      throw error
    }
  }

  /** Starts reading. Called once, before the first `next` of a partition. */
  async read(): Promise<readonly PartitionReadings[]> {
    for (const topic of [this.#survey, ...this.#attempts]) await topic.read()
    return this.partitions
  }

  async close(): Promise<void> {
    await Promise.all([this.#survey, ...this.#attempts].map(topic => topic.close()))
  }
}

class ReopenedPartition implements PartitionReadings {
  readonly tally = new Tally()
  readonly #survey: PartitionReadings
  /** By attempt. */
  readonly #readers: readonly PartitionReadings[]
  readonly #held: (JobMessage | null)[]
  readonly #counting: ReadonlySet<number>
  #deciding: Promise<Deciding> | null = null
  #next = 0
  /** The result of a job without rows, which has only the columns. */
  #withoutRows: JobMessage | null = null

  constructor(survey: PartitionReadings, readers: readonly PartitionReadings[], counting: ReadonlySet<number>) {
    this.#counting = counting
    this.#survey = survey
    this.#readers = readers
    this.#held = readers.map(() => null)
  }

  get partition() {
    return this.#survey.partition
  }

  get malformed() {
    return this.#survey.malformed
  }

  get name() {
    return this.#survey.name
  }

  get loss() {
    return this.#survey.loss
  }

  refuse(where: string, flaw: string): void {
    this.#survey.refuse(where, flaw)
  }

  async next(): Promise<JobMessage | null> {
    this.#deciding ??= this.#decide()
    const deciding = await this.#deciding
    while (this.#next < deciding.length && !deciding[this.#next]) this.#next++
    const attempt = deciding[this.#next]
    if (!attempt) return this.#withoutRows ? this.#giveWithoutRows() : this.#end()
    const { record, where } = await this.#reach(attempt - 1)
    const result = record.value as Result
    let end = this.#next
    while (end < result.first + result.count && deciding[end] === attempt) end++
    const part = between(result, this.#next, end)
    this.#next = end
    return { record: { kind: 'result', value: part }, where }
  }

  #giveWithoutRows(): JobMessage | null {
    const found = this.#withoutRows
    this.#withoutRows = null
    return found
  }

  #end(): null {
    const { end, endedAt } = this.#survey.tally
    if (end && !this.tally.end) this.tally.close(end satisfies EndOfInput, endedAt)
    return null
  }

  async #decide(): Promise<Deciding> {
    const deciding: Deciding = []
    const tallies = this.#readers.map(() => new Tally())
    for (let found = await this.#survey.next(); found; found = await this.#survey.next()) {
      const { record, where } = found
      if (record.kind !== 'result') {
        this.refuse(where, `a ${record.kind} message among the results`)
        continue
      }
      const { attempt, first, count } = record.value
      if (!this.#counting.has(attempt)) continue
      if (count === 0) this.#withoutRows = found
      const from = tallies[attempt]?.take(first, count, where) ?? first + count
      for (let position = from; position < first + count; position++)
        deciding[position] = Math.max(deciding[position] ?? 0, attempt + 1)
    }
    this.tally.duplicates += tallies.reduce((sum, { duplicates, late }) => sum + duplicates + late, 0)
    return deciding
  }

  /** The first result of the attempt that covers the next position. The survey has seen it. */
  async #reach(attempt: number): Promise<JobMessage> {
    for (;;) {
      this.#held[attempt] ??= await this.#readers[attempt]!.next()
      const held = this.#held[attempt]!
      const { kind, value } = held.record
      if (kind === 'result' && value.attempt === attempt && value.first + value.count > this.#next) return held
      this.#held[attempt] = null
    }
  }
}

/** The part of a result for the positions [from, end). */
function between(result: Result, from: number, end: number): Result {
  const missing = new Map(result.rejected.map(reject => [result.first + reject.index, reject]))
  const rows: Result['rows'][number][] = []
  const outputs = result.outputs?.slice(from - result.first, end - result.first) ?? null
  const rejected: Result['rejected'][number][] = []
  let at = 0
  for (let position = result.first; position < result.first + result.count; position++) {
    const reject = missing.get(position)
    const wanted = position >= from && position < end
    if (reject && wanted) rejected.push({ ...reject, index: position - from })
    const next = at + (result.outputs?.[position - result.first] ?? (reject ? 0 : 1))
    if (wanted) rows.push(...result.rows.slice(at, next))
    at = next
  }
  return { ...result, first: from, count: end - from, rows, rejected, outputs }
}
