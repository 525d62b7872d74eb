import { castsOf, conflictOf } from '../core/output-kinds.ts'
import { nameOf } from '../core/reject-budget.ts'
import { CellRules } from '../core/whole-columns.ts'
import type { Job } from '../model.ts'
import { type Difference, describeOutcome, differencesOf, isReject, type Outcome, sameNames } from './compare.ts'
import { CUTS, type RowCut, WHOLE } from './cuts.ts'
import type { Sample } from './sample.ts'
import type { Trial, Trials } from './trials.ts'

/** How often a cut that came out otherwise is repeated, and all rows at once too, before the classifier is blamed. */
const REPEATS = 2
/** Fractions that differ by no more than this share were perhaps only rounded otherwise. */
const ROUNDING = 1e-9
const ROUNDED = ' (rounded otherwise: numpy adds in another order in a batch of another size)'
/** How much of a value a message shows. */
const SHOWN_CHARS = 200

/** Where the result of a row depends on the rows of its batch. */
export interface Fault {
  /** What differs, with both values. */
  readonly message: string
  readonly seq: number | null
  readonly line: number | null
  readonly column: string | null
}

/** What came out of the trials of a sample. */
export interface Judgement {
  readonly fault: Fault | null
  /** Columns that differ even between two calls with the same rows in the same batches. They were left out. */
  readonly unstable: readonly string[]
}

/** What differs even in the same cut, and is left out. */
interface Unstable {
  readonly columns: Set<number>
  readonly rows: Set<number>
  /** The names of the columns. */
  header: boolean
  /** Which batches are refused. */
  refusals: boolean
  /** Which rows are rejected. */
  rejects: boolean
}

/**
 * Classifies a sample whole, and in each of `cuts`. It compares the cells that the collector writes at last. A column whose
 * kinds end the job is left out: KIND_DRIFT names it. Before the classifier is blamed, the same is done again: random numbers,
 * the time and counters also differ, but not twice alike. Columns in `leftOut` are not compared.
 */
export async function judge(
  trials: Pick<Trials, 'classify'>,
  {
    job,
    sample,
    cuts = CUTS,
    leftOut = [],
  }: { job: Job; sample: Sample; cuts?: readonly RowCut[]; leftOut?: readonly string[] },
): Promise<Judgement> {
  const rules = new CellRules(job)
  const casts = new Set(castsOf(job))
  const unstable: Unstable = { columns: new Set(), rows: new Set(), header: false, refusals: false, rejects: false }
  const whole = await trials.classify(sample, WHOLE)
  for (const name of leftOut) unstable.columns.add(whole.columns.indexOf(name))
  const judged = (fault: Fault | null): Judgement => ({
    fault,
    unstable: unstable.header ? whole.columns : [...unstable.columns].map(column => whole.columns[column]!),
  })
  const differs = (trial: Trial) => firstFault(whole, trial, { casts, rules, unstable })
  for (const cut of cuts) {
    const trial = await trials.classify(sample, cut)
    if (differs(trial) === null) continue
    for (let repeat = 0; repeat < REPEATS; repeat++) {
      leaveOut(whole, await trials.classify(sample, WHOLE), unstable)
      leaveOut(trial, await trials.classify(sample, cut), unstable)
    }
    const fault = differs(trial)
    if (fault !== null) return judged(describe(fault, { whole, sample, cut }))
  }
  return judged(null)
}

/** The later judgement, with the columns that an earlier one without a fault left out. */
export function afterEarlier(earlier: Judgement, { fault, unstable }: Judgement): Judgement {
  return { fault, unstable: [...new Set([...earlier.unstable, ...unstable])] }
}

type Blamed = Difference | { readonly what: 'refused'; readonly words: string }

/** The first difference for which the classifier is to blame. */
function firstFault(
  whole: Trial,
  trial: Trial,
  { casts, rules, unstable }: { casts: ReadonlySet<string>; rules: CellRules; unstable: Unstable },
): Blamed | null {
  if (unstable.header) return null
  const words = whole.refused ?? trial.refused
  if (words !== null && !unstable.refusals) return { what: 'refused', words }
  const other = trial.headers.find(header => !sameNames(header, whole.columns))
  if (other && whole.headers.length > 0) return { what: 'columns', one: whole.columns, other }
  for (const difference of differencesOf(whole, trial)) {
    if (difference.what === 'columns') return difference
    if (unstable.rows.has(difference.row) || breaksAlone(difference, whole)) continue
    if (difference.what === 'outcome') {
      if (unstable.rejects && isRejectedOnce(difference)) continue
      return difference
    }
    const { column } = difference
    const endsJob = !casts.has(whole.columns[column]!) && conflictOf([...trial.kinds[column]!], rules) !== null
    if (!unstable.columns.has(column) && !endsJob) return difference
  }
  return null
}

function isRejectedOnce({ one, other }: { one: Outcome; other: Outcome }): boolean {
  return isReject(one) !== isReject(other)
}

/**
 * Whether a row breaks the contract by itself, such as one that is dropped. If rows do so even with all rows at once, the job
 * rejects them, and it is chance in which batches their number fits.
 */
function breaksAlone(difference: Difference, whole: Trial): boolean {
  const breaks = (outcome: Outcome) => isReject(outcome) && outcome.reason === 'CLASSIFIER_CONTRACT'
  if (difference.what !== 'outcome' || !whole.rows.some(breaks)) return false
  return breaks(difference.one) || breaks(difference.other)
}

/** Adds what differs between two trials in the same cut. */
function leaveOut(before: Trial, after: Trial, unstable: Unstable): void {
  if (before.refused !== after.refused) unstable.refusals = true
  const sameHeaders = before.headers.length === after.headers.length
  if (!sameHeaders || !before.headers.every((header, at) => sameNames(header, after.headers[at]!)))
    unstable.header = true
  for (const difference of differencesOf(before, after)) {
    if (difference.what === 'columns') unstable.header = true
    else if (difference.what === 'outcome') {
      unstable.rows.add(difference.row)
      if (isRejectedOnce(difference)) unstable.rejects = true
    } else unstable.columns.add(difference.column)
  }
}

function describe(fault: Blamed, { whole, sample, cut }: { whole: Trial; sample: Sample; cut: RowCut }): Fault {
  if (fault.what === 'refused') return { message: fault.words, seq: null, line: null, column: null }
  const both = (one: string, other: string) => `${shown(one)} with all rows at once, but ${shown(other)} ${cut.name}`
  if (fault.what === 'columns') {
    const [one, other] = [fault.one, fault.other].map(names => JSON.stringify(names)) as [string, string]
    return { message: `the columns are ${both(one, other)}`, seq: null, line: null, column: null }
  }
  const [seq, line] = [sample.seqs[fault.row]!, sample.lines[fault.row]!]
  const row = nameOf({ seq, line })
  if (fault.what === 'outcome') {
    const message = `${row} is ${both(describeOutcome(fault.one), describeOutcome(fault.other))}`
    return { message, seq, line, column: null }
  }
  const column = whole.columns[fault.column]!
  const [one, other] = [fault.one, fault.other].map(cell => JSON.stringify(cell ?? null)) as [string, string]
  const why = isRounding(fault.one, fault.other) ? ROUNDED : ''
  return { message: `column ${column} of ${row} is ${both(one, other)}${why}`, seq, line, column }
}

/** Whether two cells are fractions that differ in the last digits alone. */
function isRounding(one = '', other = ''): boolean {
  const [a, b] = [Number(one), Number(other)]
  return [one, other].every(cell => cell.includes('.')) && Math.abs(a - b) <= ROUNDING * Math.abs(a)
}

function shown(text: string): string {
  return text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}...` : text
}
