import { type RowmillError, toRowmillError } from '../errors.ts'
import { Secrets } from '../support/credentials.ts'
import { printable } from '../support/printable.ts'
import type { LogLevel } from '../support/say.ts'
import type { JsonLog } from './json-log.ts'
import type { LogFields } from './log-fields.ts'
import type { ProgressLines } from './progress-lines.ts'

/**
 * The log of this command, on stderr: text for people, or one JSON object a line for programs. A process has one. A line may hold
 * a cell, an exception or a message from another program, so none shows a secret, and none has what a terminal obeys. A slip of
 * the keyboard may also put a password where no option expects one.
 */

const secretWords: string[] = []
/** The secrets of this command line. */
let secrets = new Secrets([])
/** Null: the log is text. */
let json: JsonLog | null = null
/** Null: nobody asked for `--progress json`. */
let progress: ProgressLines | null = null
let about: LogFields = {}

/** From now on nothing on stderr shows a secret of these words: of the command line, the environment, a file of options. */
export function hideSecretsOf(words: Iterable<string>): void {
  secretWords.push(...words)
  secrets = new Secrets(secretWords)
}

/** From now on every line in JSON says this too, such as the job of the command. */
export function logAbout(fields: LogFields): void {
  about = { ...about, ...fields }
}

/** Chooses how lines are written from now on. Only JSON loads what writes it. */
export async function openLog(format: 'text' | 'json'): Promise<void> {
  if (format === 'json')
    json ??= new (await import('./json-log.ts')).JsonLog({ mask, about: () => about, uncaught: endUncaught })
  else if (json) {
    json.close()
    json = null
  }
}

/** From now on a line in JSON shows the progress every second. `endLog` writes the last one. */
export async function openProgressLines(): Promise<void> {
  progress ??= new (await import('./progress-lines.ts')).ProgressLines(
    line => writeLine(`${JSON.stringify(line)}\n`),
    () => about,
  )
}

/** Null: the progress is not shown in JSON. */
export function progressLines(): ProgressLines | null {
  return progress
}

export function isLogJson(): boolean {
  return json !== null
}

/** Writes one line. In text it is the message, after `rowmill: `. */
export function log(level: LogLevel, message: string, fields: LogFields = {}): void {
  if (json) json.line(level, message, fields)
  else writeError(`rowmill: ${message}\n`)
}

/** Writes text that is whole as it is. In JSON each of its lines is one, without `rowmill: ` if that is its source. */
export function logPrinted(text: string, { level = 'info', ...fields }: LogFields): void {
  if (!json) writeError(text.endsWith('\n') ? text : `${text}\n`)
  else {
    const { source = 'rowmill' } = fields
    const own = source === 'rowmill' ? /^rowmill: / : ''
    for (const line of text.replace(/\n$/, '').split('\n')) json.line(level, line.replace(own, ''), fields)
  }
}

/** Writes what ended the command, and the commands that continue it. In JSON that is one line. */
export function logError(
  error: RowmillError,
  { exitCode, showsStack }: { exitCode: number; showsStack: boolean },
): void {
  const { code, message, facts } = error
  const { resume, again, cure } = facts
  const stack = code === 'INTERNAL' && showsStack ? (error.cause as Error).stack : undefined
  if (json) {
    json.error(error, { code, exitCode, ...(stack === undefined ? {} : { stack }) })
    return
  }
  // The code is at the end of the first line, because a traceback may follow it.
  writeError(`rowmill: ${message.replace(/\n|$/, end => ` [${code}]${end}`)}\n`)
  if (stack !== undefined) writeError(`${stack}\n`)
  if (resume) writeError(`rowmill: to resume: ${resume}\n`)
  if (again) writeError(`rowmill: to start again: ${again}\n`)
  if (cure) writeError(`rowmill: once the classifier is repaired${cure}\n`)
}

/** Writes the last line of the progress. Nothing follows it. */
export function endLog(exitCode: number, code: string | null): void {
  progress?.end({ exitCode, code })
}

/** Node would print the error that nobody caught, and end with this code. */
function endUncaught(thrown: unknown): never {
  const error = toRowmillError(thrown)
  logError(error, { exitCode: error.exitCode, showsStack: true })
  endLog(error.exitCode, error.code)
  process.exit(error.exitCode)
}

/** Writes a line that is JSON already. */
function writeLine(line: string): void {
  if (json) json.write(line)
  else process.stderr.write(line)
}

export function writeError(text: string): void {
  process.stderr.write(presentable(text))
}

/** The text as stderr may show it. */
export function presentable(text: string): string {
  return printable(mask(text))
}

function mask(text: string): string {
  return secrets.mask(text)
}
