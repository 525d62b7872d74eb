import type { Writable } from 'node:stream'
import { OutputFormat } from '../../../connectors/csv/output-format.ts'
import { nameOf } from '../../core/reject-budget.ts'
import { RowmillError } from '../../errors.ts'
import type { ClassifiedRow, ResultBatch } from '../../events/result-batch.ts'
import { resultBatches } from '../../events/result-batches.ts'
import type { JobOption } from '../../model.ts'
import { printable } from '../../support/printable.ts'
import type { CommandSpec } from '../command.ts'
import { describeWait } from '../describe-wait.ts'
import { Limits } from '../limits.ts'
import { openSharedPipeline, requireJob } from '../shared-pipeline.ts'
import { Terminal } from '../terminal.ts'
import { Waiting } from '../waiting.ts'

const OPTION_NAMES = [
  'brokers',
  'brokerTimeout',
  'sharedPipeline',
  'schemaRegistry',
  'schemaRegistryUserinfoFile',
  'id',
  'format',
  'from',
  'timeout',
  'quiet',
] as const

export const tailCommand: CommandSpec<(typeof OPTION_NAMES)[number]> = {
  name: 'tail',
  doc: 'print the classified rows of one job as they come, in order; ends when the job has ended',
  operands: [],
  example: 'rowmill tail --job orders --format json --from now --brokers 127.0.0.1:9092',
  options: OPTION_NAMES,
  async act(_, options) {
    const job = requireJob(options.id)
    const terminal = new Terminal({ quiet: options.quiet, progress: false })
    const say = (message: string) => terminal.say(message)
    const limits = new Limits('before the job had ended', options.timeout)
    const { signal } = limits
    const reader = new OutputOf(process.stdout)
    try {
      const shared = await openSharedPipeline('tail', options, { writes: false, say })
      const { kafka, pipeline } = shared
      const jobs = await shared.openJobs(say, signal)
      const waiting = new Waiting(say, () => describeWait(job, jobs, shared))
      try {
        const lines = LINES[options.format](() => jobs.peek(job)!.options)
        const context = { kafka, pipeline, jobs, say, signal }
        for await (const batch of resultBatches(context, { job, from: options.from })) {
          waiting.progress()
          const { out, err } = lines(batch)
          if (err !== '') terminal.output(err)
          if (!(await reader.write(process.stdout.isTTY ? printable(out) : out))) break
        }
        return 0
      } finally {
        waiting.close()
        await Promise.all([jobs.close(), shared.close()])
      }
    } finally {
      limits.close()
      reader.close()
    }
  },
}

/** What of a batch goes to standard output, and what to standard error. */
type Lines = (batch: ResultBatch) => { out: string; err: string }

const LINES = { csv: csvLines, json: jsonLines } satisfies Record<
  string,
  (options: () => readonly JobOption[]) => Lines
>

/** As the file of the job has them, with a line of column names again where these change. Rejected rows go to stderr. */
function csvLines(options: () => readonly JobOption[]): Lines {
  let before: readonly string[] = []
  let format: OutputFormat | null = null
  return ({ columns, rows }) => {
    const isOther = columns.length > 0 && (format === null || columns.join('\0') !== before.join('\0'))
    if (isOther) {
      format = new OutputFormat({ columns, options: options() })
      before = columns
    }
    const classified = rows.flatMap(({ values }) => (values === null ? [] : [values]))
    const out = (isOther ? format!.headerLine : '') + (format?.lines(classified) ?? '')
    return { out, err: rows.map(describeReject).join('') }
  }
}

function describeReject({ seq, rejected }: ClassifiedRow): string {
  if (rejected === null) return ''
  const { reason, detail, values } = rejected
  return `rowmill: ${nameOf({ seq, line: null })} was rejected: ${reason} ${detail}: ${JSON.stringify(values)}\n`
}

/** Written by hand: an object would lose a column that is called `__proto__`, and move those that are called 1. */
function jsonLines(): Lines {
  return ({ columns, rows }) => {
    const names = columns.map(name => JSON.stringify(name))
    const lineOf = ({ seq, values, rejected }: ClassifiedRow) => {
      if (values === null) return `{"seq":${seq},"rejected":${JSON.stringify(rejected)}}\n`
      const cells = names.map((name, i) => `${name}:${JSON.stringify(values[i])}`)
      return `{"seq":${seq},"values":{${cells.join(',')}}}\n`
    }
    return { out: rows.map(lineOf).join(''), err: '' }
  }
}

/** Standard output, of which a reader may have seen enough: that is no error of a command that only shows. */
class OutputOf {
  readonly #out: Writable
  readonly #ignore = () => {} // each write is told

  constructor(out: Writable) {
    this.#out = out.on('error', this.#ignore)
  }

  /** Resolves when it is handed on; false where nobody reads any more. */
  write(text: string): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#out.write(text, error => {
        if (!error) resolve(true)
        else if ((error as NodeJS.ErrnoException).code === 'EPIPE') resolve(false)
        else reject(new RowmillError('OUTPUT_FAILED', `cannot write to standard output: ${error.message}`))
      })
    })
  }

  close(): void {
    this.#out.off('error', this.#ignore)
  }
}
