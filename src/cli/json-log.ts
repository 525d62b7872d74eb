import { type Logger, pino } from 'pino'
import type { RowmillError } from '../errors.ts'
import { LineForwarder } from '../support/output-lines.ts'
import { printableLine } from '../support/printable.ts'
import type { LogLevel } from '../support/say.ts'
import type { LogFields } from './log-fields.ts'

/** The facts of an error that are fields of the line, under the same name. */
const FIELDS = ['job', 'pipeline', 'topic', 'partition', 'offset', 'worker', 'resume', 'again', 'signal']

type StderrWrite = typeof process.stderr.write

export interface JsonLogOptions {
  /** Masks the secrets in a text. */
  mask(text: string): string
  /** What every line says. */
  about(): LogFields
  /** Called with an error that nobody caught. */
  uncaught(thrown: unknown): void
}

/**
 * Writes the log as one JSON object a line. While it is open, everything that this process writes to stderr is such a line: also
 * warnings of Node, and what a library prints. No value is null: what is not known is left out.
 */
export class JsonLog {
  readonly #options: JsonLogOptions
  readonly #pino: Logger
  readonly #writeBefore = process.stderr.write
  readonly #printed = new LineForwarder(text => {
    for (const line of text.trimEnd().split('\n')) this.line('warn', line, { source: 'process' })
  })
  readonly #warned = ({ name, message }: Error) => this.line('warn', `${name}: ${message}`, { source: 'node' })
  /** Node's own, which prints. */
  readonly #warnedBefore = process.listeners('warning')
  readonly #endPrinted = () => this.#printed.end()

  constructor(options: JsonLogOptions) {
    this.#options = options
    const ofPino = {
      base: null,
      level: 'debug',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (level: string) => ({ level }) },
    }
    this.#pino = pino(ofPino, { write: line => this.write(`${printableLine(line.trimEnd())}\n`) })
    process.removeAllListeners('warning').on('warning', this.#warned)
    process.on('uncaughtException', options.uncaught).on('exit', this.#endPrinted)
    process.stderr.write = this.#take as StderrWrite
  }

  /** Writes a line that is JSON already. */
  write(line: string): void {
    this.#writeBefore.call(process.stderr, line)
  }

  line(level: LogLevel, message: string, { level: _, source = 'rowmill', ...fields }: LogFields): void {
    const { mask, about } = this.#options
    this.#pino[level](this.#shown({ source, ...about(), ...fields }) as object, mask(message))
  }

  error({ message, facts }: RowmillError, fields: LogFields): void {
    const { cure, ...others } = facts
    const [own, rest] = [{} as Record<string, unknown>, {} as Record<string, unknown>]
    for (const [name, value] of Object.entries(others)) (FIELDS.includes(name) ? own : rest)[name] = value
    const more = {
      ...(cure ? { cure: `once the classifier is repaired${cure}` } : {}),
      ...(Object.keys(rest).length > 0 ? { facts: rest } : {}),
    }
    this.line('error', message, { ...fields, ...own, ...more })
  }

  /** Lets everybody write to stderr again. */
  close(): void {
    this.#endPrinted()
    process.stderr.write = this.#writeBefore
    process.off('warning', this.#warned).off('uncaughtException', this.#options.uncaught).off('exit', this.#endPrinted)
    for (const listener of this.#warnedBefore) process.on('warning', listener)
  }

  /** Takes what others write to stderr, with the parameters of `write` of a stream. */
  readonly #take = (chunk: string | Uint8Array, encoding?: unknown, done?: unknown): boolean => {
    this.#printed.push(Buffer.from(chunk as string))
    const call = typeof encoding === 'function' ? encoding : done
    if (typeof call === 'function') process.nextTick(call)
    return true
  }

  /** Each text is masked by itself: a mask over the whole line could take the end of one value for that of another. */
  #shown(value: unknown): unknown {
    if (typeof value === 'string') return this.#options.mask(value)
    if (typeof value !== 'object' || value === null) return value
    const known = Object.entries(value).filter(([, each]) => each !== null && each !== undefined)
    return Object.fromEntries(known.map(([name, each]) => [name, this.#shown(each)]))
  }
}
