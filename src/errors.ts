import { isOutOfFiles, openFilesAdvice } from './open-files.ts'

/**
 * Every way rowmill can fail, with the exit code of the command that meets it.
 * 1: input content, classifier or I/O failed. 2: usage, found before any work started. 3: broker or registry unusable.
 * 5: reject budget exceeded. 6: rows missing or malformed. 124: time-out.
 * 130: interrupted; the command ends with 128 + the signal. README.md documents each.
 */
export const EXIT_CODES = {
  USAGE: 2,
  INPUT_NOT_FOUND: 2,
  INPUT_UNREADABLE: 1,
  INPUT_EMPTY: 1,
  INPUT_ENCODING: 1,
  INPUT_QUOTE: 1,
  INPUT_FIELDS: 1,
  INPUT_CELL_TOO_LARGE: 1,
  INPUT_ROW_TOO_LARGE: 1,
  INPUT_CHANGED: 1,
  OUTPUT_EXISTS: 2,
  OUTPUT_UNUSABLE: 2,
  OUTPUT_LOCKED: 2,
  OUTPUT_FAILED: 1,
  PYTHON_UNUSABLE: 2,
  CLASSIFIER_NOT_FOUND: 2,
  CLASSIFIER_UNLOADABLE: 1,
  CLASSIFIER_FAILED: 1,
  CLASSIFIER_CONTRACT: 1,
  CLASSIFIER_DIED: 1,
  CLASSIFIER_TIMEOUT: 1,
  CLASSIFIER_MIXED: 1,
  KIND_DRIFT: 1,
  WORKER_DIED: 1,
  TOO_MANY_OPEN_FILES: 1,
  ROW_REFUSED: 2,
  JOB_EXISTS: 2,
  JOB_FAILED: 1,
  JOB_CANCELLED: 1,
  PRODUCER_FENCED: 1,
  BROKER_UNREACHABLE: 3,
  BROKER_NO_JAVA: 3,
  BROKER_NO_JARS: 3,
  BROKER_FAILED: 3,
  REGISTRY_UNREACHABLE: 3,
  TOPIC_UNUSABLE: 3,
  REJECTS_OVER_BUDGET: 5,
  ROW_GAP: 6,
  ROW_MALFORMED: 6,
  JOB_INCOMPLETE: 6,
  FILES_DIFFER: 6,
  TIMEOUT: 124,
  INTERRUPTED: 130,
  INTERNAL: 1,
} as const satisfies Record<string, number>

/** What ends a command and not its job: the same job can be gone on with. */
const LEAVES_JOB: readonly ErrorCode[] = [
  ...(['TIMEOUT', 'INTERRUPTED', 'INTERNAL', 'OUTPUT_FAILED', 'WORKER_DIED', 'TOO_MANY_OPEN_FILES'] as const),
  ...(['BROKER_UNREACHABLE', 'BROKER_NO_JAVA', 'BROKER_NO_JARS', 'BROKER_FAILED'] as const),
  ...(['REGISTRY_UNREACHABLE', 'TOPIC_UNUSABLE'] as const),
  ...(['PYTHON_UNUSABLE', 'CLASSIFIER_NOT_FOUND', 'CLASSIFIER_UNLOADABLE'] as const),
]

/** What fails a job by its classifier: with another one, a further attempt gives a result to every row that has none. */
const CURABLE: readonly ErrorCode[] = [
  ...(['CLASSIFIER_FAILED', 'CLASSIFIER_CONTRACT', 'CLASSIFIER_DIED', 'CLASSIFIER_TIMEOUT'] as const),
  ...(['REJECTS_OVER_BUDGET', 'JOB_FAILED'] as const),
]

/** The same of a later attempt: its results then count for nothing, and those before it do. In a first one nobody is right. */
const CURABLE_LATER: readonly ErrorCode[] = ['KIND_DRIFT', 'CLASSIFIER_MIXED']

/** What says that OUT, or what stands beside it, is another's or was changed: it is not to be touched. */
const OF_OUTPUT: readonly ErrorCode[] = ['OUTPUT_EXISTS', 'OUTPUT_UNUSABLE', 'OUTPUT_LOCKED']

/** The exit code of a job that is complete, but for rows that were rejected within its budget. */
export const COMPLETE_WITH_REJECTS = 4

export type ErrorCode = keyof typeof EXIT_CODES

/** What an error is about, as values: the message says them in words, a program reads them here. */
export type ErrorFacts = Readonly<Record<string, string | number | boolean | null>>

/** The one error class of rowmill. The message says what failed, with what value, and what to do. */
export class RowmillError extends Error {
  readonly code: ErrorCode
  readonly facts: ErrorFacts

  constructor(code: ErrorCode, message: string, facts: ErrorFacts = {}, options?: ErrorOptions) {
    super(message, options)
    this.name = 'RowmillError'
    this.code = code
    this.facts = facts
  }

  get exitCode(): number {
    return EXIT_CODES[this.code]
  }
}

/** Whether `value` is one of the closed list of codes: codes travel as text in job records and between processes. */
export function isErrorCode(value: string): value is ErrorCode {
  return Object.hasOwn(EXIT_CODES, value)
}

/**
 * Any thrown value as a RowmillError; what is not one already is a defect of rowmill and is called INTERNAL. Where the
 * limit of open files is behind it, that is TOO_MANY_OPEN_FILES, whatever the error guessed.
 */
export function toRowmillError(thrown: unknown): RowmillError {
  const code = thrown instanceof RowmillError ? thrown.code : 'INTERNAL'
  if (code !== 'TOO_MANY_OPEN_FILES' && isOutOfFiles(thrown, code)) return tooManyOpenFiles(thrown)
  if (thrown instanceof RowmillError) return thrown
  const cause = thrown instanceof Error ? thrown : new Error(String(thrown))
  return new RowmillError('INTERNAL', `unexpected: ${cause.message}. Please report this.`, {}, { cause })
}

function tooManyOpenFiles(cause: unknown): RowmillError {
  const facts = cause instanceof RowmillError ? cause.facts : {}
  const said = cause instanceof Error ? cause.message : String(cause)
  const message = `too many open files. ${openFilesAdvice()} What failed first: ${said}`
  return new RowmillError('TOO_MANY_OPEN_FILES', message, facts, { cause })
}

/** Whether the job goes on when the command is given again. */
export function leavesJob(thrown: unknown): boolean {
  return LEAVES_JOB.includes(toRowmillError(thrown).code)
}

/** Whether a job that failed with this goes on in a further attempt, under a classifier that was repaired. */
export function isCurable(thrown: unknown): boolean {
  const { code, facts } = toRowmillError(thrown)
  return CURABLE.includes(code) || (CURABLE_LATER.includes(code) && Number(facts['attempt'] ?? 0) > 0)
}

/** Whether OUT, or what stands beside it, is why a command ended: then it is not the command's to remove. */
export function isOfOutput(thrown: unknown): boolean {
  return OF_OUTPUT.includes(toRowmillError(thrown).code)
}

/** An error as it travels between processes. */
export interface ErrorRecord {
  readonly code: string
  readonly message: string
  readonly facts: ErrorFacts
}

export function errorToRecord(thrown: unknown): ErrorRecord {
  const { code, message, facts } = toRowmillError(thrown)
  return { code, message, facts }
}

export function errorFromRecord({ code, message, facts }: ErrorRecord): RowmillError {
  return new RowmillError(isErrorCode(code) ? code : 'INTERNAL', message, facts)
}
