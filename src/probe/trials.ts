import type { BatchClassifier } from '../classifier/boundary.ts'
import type { Batch, Part } from '../core/batcher.ts'
import { describeBatch } from '../core/describe-batch.ts'
import { castsOf, DROPPED, decidingKinds } from '../core/output-kinds.ts'
import { outcomesOf, startOf } from '../core/result-slice.ts'
import { CellRules, ChangedCells, WholeColumns } from '../core/whole-columns.ts'
import { type ErrorCode, RowmillError } from '../errors.ts'
import type { Job, Kind, Result } from '../model.ts'
import { counted } from '../support/counted.ts'
import { decode, encodeRows } from '../wire/codec.ts'
import { decodeHead } from '../wire/rows-head.ts'
import { differencesOf, type NoResult, type Outcome, type Outcomes, sameNames } from './compare.ts'
import type { RowCut } from './cuts.ts'
import type { Sample } from './sample.ts'

/** Errors that some rows of a batch may have caused. Smaller batches show which. */
const BY_ROWS: readonly ErrorCode[] = ['CLASSIFIER_FAILED', 'CLASSIFIER_CONTRACT', 'ROW_MALFORMED']

/** What the classifier made of a sample in one cut, with the cells that the collector would write at last. */
export interface Trial extends Outcomes {
  /** For each column, the kinds that it had in the batches. */
  readonly kinds: readonly ReadonlySet<Kind>[]
  /** The different lists of columns that its batches had, the first of them `columns`. */
  readonly headers: readonly (readonly string[])[]
  /** The smallest batch that was refused although each of its rows has a result, in words. Null: there is none. */
  readonly refused: string | null
  /** How long the calls took. */
  readonly seconds: number
}

export interface TrialsOptions {
  readonly classifier: Pick<BatchClassifier, 'classify'>
  readonly job: Job
  /** How long one call may take. */
  readonly timeoutMs: number
}

/** Classifies samples of a job in any cut. Throws errors that rows cannot have caused, and CLASSIFIER_TIMEOUT. */
export class Trials {
  readonly #options: TrialsOptions
  /** How often the classifier was called. */
  calls = 0
  #rows = 0
  #seconds = 0

  constructor(options: TrialsOptions) {
    this.#options = options
  }

  /** How long a row took on average. */
  get rowSeconds(): number {
    return this.#seconds / Math.max(1, this.#rows)
  }

  /** `beside`: a trial with more rows of the job. What its kinds change in the cells of the whole file is changed here too. */
  async classify(sample: Sample, cut: RowCut, beside: Pick<Trial, 'kinds'> | null = null): Promise<Trial> {
    const parts = sample.rows.map((_, at) => this.#part(sample, at))
    const building = new TrialBuilder(this.#options.job, beside?.kinds)
    const startedAt = performance.now()
    for (const places of cut.batches(sample.rows))
      await this.#take(
        places.map(at => parts[at]!),
        building,
      )
    const seconds = (performance.now() - startedAt) / 1000
    this.#rows += parts.length
    this.#seconds += seconds
    return { ...building.built(), seconds }
  }

  /** Classifies one batch. Halves it if the classifier refuses it. Returns whether every row has a result. */
  async #take(parts: readonly Part[], building: TrialBuilder): Promise<boolean> {
    const batch = this.#batch(parts)
    try {
      building.add(placesOf(parts), await this.#call(batch))
      return true
    } catch (error) {
      if (!(error instanceof RowmillError && BY_ROWS.includes(error.code))) throw error
      if (parts.length === 1) {
        building.reject(placesOf(parts)[0]!, { reason: error.code, detail: error.message })
        return false
      }
      const middle = Math.ceil(parts.length / 2)
      const halves = [
        await this.#take(parts.slice(0, middle), building),
        await this.#take(parts.slice(middle), building),
      ]
      const complete = halves.every(Boolean)
      if (complete) building.refused(batch, error)
      return complete
    }
  }

  async #call(batch: Batch): Promise<Result[]> {
    const { classifier, job, timeoutMs } = this.#options
    this.calls++
    const late = Promise.withResolvers<never>()
    const clock = setTimeout(() => late.reject(tooLong(batch.count, timeoutMs)), timeoutMs)
    try {
      const { results } = await Promise.race([classifier.classify(batch, job), late.promise])
      return results.map(message => decode(message).value as Result)
    } finally {
      clearTimeout(clock)
    }
  }

  #part({ rows, seqs, lines }: Sample, at: number): Part {
    const { id, epoch, from } = this.#options.job
    const seq = seqs[at]!
    const row = { seq, count: 1, line: lines[at]!, lineSteps: null, rows: [rows[at]!] }
    const bytes = encodeRows({ job: id, epoch, from, ...row })
    const message = { head: decodeHead(bytes).value as Part['message']['head'], bytes }
    const entry = { offset: at, job: id, rows: message, forwarded: null, position: at, count: 1, cut: 1, open: 0 }
    return { entry, message, skip: 0, count: 1 }
  }

  #batch(parts: readonly Part[]): Batch {
    const { id, epoch, from } = this.#options.job
    const { position, offset } = parts[0]!.entry
    return { kind: 'batch', job: id, epoch, from, first: position, offset, count: parts.length, parts: [...parts] }
  }
}

function placesOf(parts: readonly Part[]): number[] {
  return parts.map(({ entry }) => entry.offset)
}

function tooLong(rows: number, timeoutMs: number): RowmillError {
  const message = `a call with ${counted(rows, 'row')} took longer than --batch-timeout ${timeoutMs / 1000} s`
  return new RowmillError('CLASSIFIER_TIMEOUT', `${message}. Raise --batch-timeout, or try fewer rows with --probe`)
}

/** Whether two trials of the same rows show no difference at all. */
export function areAlike(whole: Trial, trial: Trial): boolean {
  const isRefused = whole.refused !== null || trial.refused !== null
  if (isRefused || !trial.headers.every(header => sameNames(header, whole.columns))) return false
  return differencesOf(whole, trial).next().done === true
}

/** The trial of the first `count` rows of those that a worker has classified at once, from its messages. */
export function trialOf(job: Job, messages: readonly Uint8Array[], count: number): Trial {
  const building = new TrialBuilder(job)
  let place = 0
  for (const message of messages) {
    const result = firstRowsOf(decode(message).value as Result, count - place)
    building.add(
      Array.from({ length: result.count }, (_, i) => place + i),
      [result],
    )
    place += result.count
  }
  return { ...building.built(), seconds: 0 }
}

/** At most so many rows of a result, with the kinds of all. */
function firstRowsOf(result: Result, most: number): Result {
  const { count, rows, outputs, rejected } = result
  if (count <= most) return result
  const first = { rows: rows.slice(0, startOf(result, most)), rejected: rejected.filter(({ index }) => index < most) }
  return { ...result, ...first, count: most, outputs: outputs?.slice(0, most) ?? null }
}

/** Puts the batches of a cut together. Each row gets its place among the rows of the sample. */
class TrialBuilder {
  readonly #job: Job
  readonly #results: { readonly places: readonly number[]; readonly result: Result }[] = []
  readonly #rejected: Outcome[] = []
  readonly #kinds: Set<Kind>[]
  readonly #headers: (readonly string[])[] = []
  #dropsBatches = false
  #refused: string | null = null

  constructor(job: Job, kinds: Trial['kinds'] = []) {
    this.#job = job
    this.#kinds = kinds.map(seen => new Set(seen))
  }

  add(places: readonly number[], results: readonly Result[]): void {
    let from = 0
    for (const result of results) {
      const { columns, kinds, rows, count } = result
      this.#results.push({ places: places.slice(from, from + count), result })
      from += count
      if (rows.length === 0 && count > 0) {
        this.#dropsBatches = true
        continue // all were dropped, and the columns hold no value
      }
      if (!this.#headers.some(header => sameNames(columns, header))) this.#headers.push(columns)
      for (const [column, kind] of kinds.entries()) {
        this.#kinds[column] ??= new Set()
        this.#kinds[column].add(kind)
      }
    }
  }

  reject(place: number, why: NoResult): void {
    this.#rejected[place] = why
  }

  refused(batch: Batch, { code, message }: RowmillError): void {
    const reason = message.split('\n', 1)[0]!.replace(/\.$/, '')
    this.#refused ??= `${describeBatch(batch)}: refused together (${code} ${reason}), but not in smaller batches`
  }

  built(): Omit<Trial, 'seconds'> {
    const [columns = []] = this.#headers
    const changed = this.#headers.length === 1 ? this.#changed(columns) : null
    const rows = [...this.#rejected]
    for (const { places, result } of this.#results) {
      const written = changed ? { ...result, rows: changed.of(result.rows, result) } : result
      const outcomes = outcomesOf({ result: written, index: 0, count: result.count })
      for (const [at, outcome] of outcomes.entries()) rows[places[at]!] = outcome
    }
    // Values of dropped rows may have made floats of integers, which shows only where another row of the batch is left.
    if (this.#dropsBatches) for (const kinds of this.#kinds) kinds.add(DROPPED)
    return { columns, headers: this.#headers, kinds: this.#kinds, rows, refused: this.#refused }
  }

  /** What the collector would change in the cells, or null. */
  #changed(columns: readonly string[]): ChangedCells | null {
    const rules = new CellRules(this.#job)
    const whole = new WholeColumns(rules)
    for (const { result } of this.#results) if (result.rows.length > 0) whole.add(result.rows, result)
    const casts = castsOf(this.#job)
    const kinds = this.#kinds.map((seen, at) =>
      decidingKinds([...seen], { isCast: casts.includes(columns[at]!), rules }),
    )
    const changes = whole.changes(kinds)
    return changes && new ChangedCells(rules, changes)
  }
}
