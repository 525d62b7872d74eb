import { type Logger, pino } from 'pino'
import type { RowmillError } from '../errors.ts'
import { printableLine } from '../support/printable.ts'
import type { LogLevel } from '../support/say.ts'
import type { LogFields } from './log-fields.ts'

/** The facts of an error that are fields of the line, under the same name. */
const FIELDS = ['job', 'pipeline', 'topic', 'partition', 'offset', 'worker', 'resume', 'again', 'signal']

/**
 * Writes the log as one JSON object a line. While it is open, warnings of Node and errors that nobody catches are lines too.
 * No value is null: what is not known is left out.
 */
export class JsonLog {
  readonly #mask: (text: string) => string
  readonly #uncaught: (thrown: unknown) => void
  readonly #pino: Logger
  readonly #warned = ({ name, message }: Error) => this.line('warn', `${name}: ${message}`, { source: 'node' })
  /** Node's own, which prints. */
  readonly #warnedBefore = process.listeners('warning')

  constructor(mask: (text: string) => string, uncaught: (thrown: unknown) => void) {
    this.#mask = mask
    this.#uncaught = uncaught
    const options = {
      base: null,
      level: 'debug',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (level: string) => ({ level }) },
    }
    this.#pino = pino(options, { write: line => process.stderr.write(`${printableLine(line.trimEnd())}\n`) })
    process.removeAllListeners('warning').on('warning', this.#warned)
    process.on('uncaughtException', uncaught)
  }

  line(level: LogLevel, message: string, { level: _, source = 'rowmill', ...fields }: LogFields): void {
    this.#pino[level](this.#shown({ source, ...fields }) as object, this.#mask(message))
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

  /** Lets Node print warnings and uncaught errors again. */
  close(): void {
    process.off('warning', this.#warned).off('uncaughtException', this.#uncaught)
    for (const listener of this.#warnedBefore) process.on('warning', listener)
  }

  /** Each text is masked by itself: a mask over the whole line could take the end of one value for that of another. */
  #shown(value: unknown): unknown {
    if (typeof value === 'string') return this.#mask(value)
    if (typeof value !== 'object' || value === null) return value
    const known = Object.entries(value).filter(([, each]) => each !== null && each !== undefined)
    return Object.fromEntries(known.map(([name, each]) => [name, this.#shown(each)]))
  }
}
