import { isOutOfFiles, openFilesAdvice } from './support/open-files.ts'

/** The properties of an error code. */
interface ErrorRule {
  /**
   * The exit code of a command that ends with it. 1: the input, the classifier or I/O failed. 2: found before any work
   * started. 3: no usable broker or registry. 5: more rejects than allowed. 6: rows are missing or malformed.
   */
  readonly exit: number
  /**
   * How the job continues.
   * - `resume`: the command ended, but the job did not. The same command resumes it.
   * - `repair`: the classifier failed the job. With a repaired classifier, another attempt classifies the missing rows.
   * - `repair-replay`: like `repair`, but only in a later attempt. That attempt is discarded, and earlier results count. In a
   *   first attempt we cannot tell which results are right.
   * - `never`: there is no job, or it cannot continue.
   */
  readonly after: 'resume' | 'repair' | 'repair-replay' | 'never'
  /** OUT, or a file beside it, belongs to somebody else or was changed. The command must not remove it. */
  readonly keepsOutput?: boolean
  /** Reading the results again does not help. */
  readonly finalForReaders?: boolean
  /** The message guesses the cause. If it mentions too many open files, that is the cause. */
  readonly guesses?: boolean
}

/** Every way rowmill can fail. docs/errors.md explains each. */
export const ERRORS = {
  USAGE: { exit: 2, after: 'never' },
  INPUT_NOT_FOUND: { exit: 2, after: 'never' },
  INPUT_UNREADABLE: { exit: 1, after: 'never' },
  INPUT_EMPTY: { exit: 1, after: 'never' },
  INPUT_ENCODING: { exit: 1, after: 'never' },
  INPUT_QUOTE: { exit: 1, after: 'never' },
  INPUT_FIELDS: { exit: 1, after: 'never' },
  INPUT_CELL_TOO_LARGE: { exit: 1, after: 'never' },
  INPUT_ROW_TOO_LARGE: { exit: 1, after: 'never' },
  INPUT_CHANGED: { exit: 1, after: 'never' },
  PROGRAM_UNREADABLE: { exit: 2, after: 'never' },
  READ_DIFFERS: { exit: 1, after: 'never' },
  READER_DIED: { exit: 1, after: 'resume', guesses: true },
  OUTPUT_EXISTS: { exit: 2, after: 'never', keepsOutput: true },
  OUTPUT_UNUSABLE: { exit: 2, after: 'never', keepsOutput: true },
  OUTPUT_LOCKED: { exit: 2, after: 'never', keepsOutput: true },
  OUTPUT_FAILED: { exit: 1, after: 'resume' },
  PYTHON_UNUSABLE: { exit: 2, after: 'resume', guesses: true },
  CLASSIFIER_NOT_FOUND: { exit: 2, after: 'resume' },
  CLASSIFIER_UNLOADABLE: { exit: 1, after: 'resume', guesses: true },
  CLASSIFIER_FAILED: { exit: 1, after: 'repair' },
  CLASSIFIER_CONTRACT: { exit: 1, after: 'repair' },
  CLASSIFIER_DIED: { exit: 1, after: 'repair', guesses: true },
  CLASSIFIER_TIMEOUT: { exit: 1, after: 'repair' },
  CLASSIFIER_MIXED: { exit: 1, after: 'repair-replay', finalForReaders: true },
  BATCH_DEPENDENT: { exit: 1, after: 'repair-replay', finalForReaders: true },
  KIND_DRIFT: { exit: 1, after: 'repair-replay', finalForReaders: true },
  WORKER_DIED: { exit: 1, after: 'resume', guesses: true },
  TOO_MANY_OPEN_FILES: { exit: 1, after: 'resume' },
  ROW_REFUSED: { exit: 2, after: 'never' },
  JOB_EXISTS: { exit: 2, after: 'never' },
  JOB_FAILED: { exit: 1, after: 'repair' },
  JOB_CANCELLED: { exit: 1, after: 'never' },
  PRODUCER_FENCED: { exit: 1, after: 'never' },
  PORT_UNUSABLE: { exit: 2, after: 'resume' },
  BROKER_UNREACHABLE: { exit: 3, after: 'resume', guesses: true },
  BROKER_NO_JAVA: { exit: 3, after: 'resume', guesses: true },
  BROKER_NO_JARS: { exit: 3, after: 'resume', guesses: true },
  BROKER_FAILED: { exit: 3, after: 'resume', guesses: true },
  TLS_FAILED: { exit: 3, after: 'resume' },
  AUTHENTICATION_FAILED: { exit: 3, after: 'resume' },
  NOT_AUTHORIZED: { exit: 3, after: 'resume' },
  REGISTRY_UNREACHABLE: { exit: 3, after: 'resume', guesses: true },
  TOPIC_UNUSABLE: { exit: 3, after: 'resume' },
  PARTITION_UNREADABLE: { exit: 3, after: 'resume' },
  REJECTS_OVER_BUDGET: { exit: 5, after: 'repair', finalForReaders: true },
  ROW_GAP: { exit: 6, after: 'never', finalForReaders: true },
  ROW_MALFORMED: { exit: 6, after: 'never', finalForReaders: true },
  JOB_INCOMPLETE: { exit: 6, after: 'never' },
  FILES_DIFFER: { exit: 6, after: 'never' },
  TIMEOUT: { exit: 124, after: 'resume' },
  INTERRUPTED: { exit: 130, after: 'resume' }, // the command itself ends with 128 + the signal
  INTERNAL: { exit: 1, after: 'resume', guesses: true },
} as const satisfies Record<string, ErrorRule>

export type ErrorCode = keyof typeof ERRORS

/** The exit code of a command that ends with an error of this code. */
export const EXIT_CODES = Object.fromEntries(Object.entries(ERRORS).map(([code, { exit }]) => [code, exit])) as {
  readonly [Code in ErrorCode]: (typeof ERRORS)[Code]['exit']
}

/** The exit code of a complete job with rejects within its budget. */
export const COMPLETE_WITH_REJECTS = 4

/** The facts of an error, for programs. The message tells the same to people. */
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
    return ruleOf(this.code).exit
  }
}

/** Whether `value` is a known code. Codes are text in job records and between processes. */
function isErrorCode(value: string): value is ErrorCode {
  return Object.hasOwn(ERRORS, value)
}

/**
 * Turns any thrown value into a RowmillError. An unknown error is a defect of rowmill: INTERNAL. If the limit of open files
 * is the cause, the result is TOO_MANY_OPEN_FILES, whatever the error guessed.
 */
export function toRowmillError(thrown: unknown): RowmillError {
  const code = thrown instanceof RowmillError ? thrown.code : 'INTERNAL'
  if (code !== 'TOO_MANY_OPEN_FILES' && isOutOfFiles(thrown, ruleOf(code).guesses ?? false))
    return tooManyOpenFiles(thrown)
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

/** Whether the same command resumes the job. */
export function leavesJob(thrown: unknown): boolean {
  return ruleOf(toRowmillError(thrown).code).after === 'resume'
}

/** Whether another attempt with a repaired classifier can complete the job. */
export function isCurable(thrown: unknown): boolean {
  const { code, facts } = toRowmillError(thrown)
  const { after } = ruleOf(code)
  return after === 'repair' || (after === 'repair-replay' && Number(facts['attempt'] ?? 0) > 0)
}

/** Whether the results of a later attempt that failed with this code are discarded. */
export function voidsAttempt(code: string): boolean {
  return isErrorCode(code) && ruleOf(code).after === 'repair-replay'
}

/** Whether OUT, or a file beside it, caused the error. Then the command must not remove it. */
export function isOfOutput(thrown: unknown): boolean {
  return ruleOf(toRowmillError(thrown).code).keepsOutput ?? false
}

/** Whether reading the results again does not help. */
export function isFinalForReaders(thrown: unknown): boolean {
  return thrown instanceof RowmillError && (ruleOf(thrown.code).finalForReaders ?? false)
}

function ruleOf(code: ErrorCode): ErrorRule {
  return ERRORS[code]
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
