import type { Writable } from 'node:stream'
import { OutputFormat } from '../../../connectors/csv/output-format.ts'
import { nameOf } from '../../core/reject-budget.ts'
import { RowmillError } from '../../errors.ts'
import type { ClassifiedRow, ResultBatch } from '../../events/result-batch.ts'
import { resultBatches, unmarkedBatch } from '../../events/result-batches.ts'
import type { JobOption } from '../../model.ts'
import type { OptionValues } from '../../options.ts'
import type { PipelineContext } from '../../pipeline/context.ts'
import { unlessAborted } from '../../support/abort.ts'
import { printable } from '../../support/printable.ts'
import { defineCommand } from '../command.ts'
import { describeWait } from '../describe-wait.ts'
import { withinLimits } from '../limits.ts'
import { log } from '../log.ts'
import { onSharedPipeline, requireJob, SHARED_OPTIONS, type SharedPipeline } from '../shared-pipeline.ts'
import { Waiting } from '../waiting.ts'

export const tailCommand = defineCommand({
  name: 'tail',
  doc: 'print the classified rows of one job in order, as they arrive; ends when the job has ended',
  operands: [],
  example: 'rowmill tail --job orders --format json --from now --brokers 127.0.0.1:9092',
  options: ['id', 'format', 'from', ...SHARED_OPTIONS],
  exits: [5, 6],
  async act(_, options) {
    const job = requireJob(options.id)
    return await withinLimits(options, 'before the job had ended', async session => {
      const reader = new OutputOf(process.stdout)
      const use = { command: 'tail', options, topics: { writes: false } }
      try {
        await onSharedPipeline(session, use, (context, shared) =>
          unlessAborted(printRows(context, job, { ...options, shared, reader }), context.signal),
        )
        return 0
      } finally {
        reader.close()
      }
    })
  },
})

async function printRows(
  context: PipelineContext,
  job: string,
  { format, from, shared, reader }: OptionValues<'format' | 'from'> & { shared: SharedPipeline; reader: OutputOf },
): Promise<void> {
  const { jobs, say } = context
  const waiting = new Waiting(say, () => describeWait(job, jobs, shared))
  try {
    const lines = LINES[format](() => jobs.peek(job)!.options)
    for await (const batch of resultBatches(context, { job, from })) {
      waiting.progress()
      const { out, rejects } = lines(batch)
      for (const reject of rejects) log('warn', reject)
      if (!(await reader.write(process.stdout.isTTY ? printable(out) : out))) break
    }
  } finally {
    waiting.close()
  }
}

/** Makes the text for standard output, and the messages for the log, from a batch. */
type Lines = (batch: ResultBatch) => { out: string; rejects: readonly string[] }

const LINES = { csv: csvLines, json: jsonLines } satisfies Record<
  string,
  (options: () => readonly JobOption[]) => Lines
>

/** Lines as in the file of the job, and the column names again when they change. Rejected rows go to stderr. */
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
    return { out, rejects: rows.flatMap(describeReject) }
  }
}

function describeReject({ seq, rejected }: ClassifiedRow): string[] {
  if (rejected === null) return []
  const { reason, detail, values } = rejected
  return [`${nameOf({ seq, line: null })} was rejected: ${reason} ${detail}: ${JSON.stringify(values)}`]
}

/** The text is put together by hand: an object would lose a column `__proto__`, and would move a column `1`. */
function jsonLines(options: () => readonly JobOption[]): Lines {
  return batch => {
    const { columns, rows } = unmarkedBatch(batch, options())
    const names = columns.map(name => JSON.stringify(name))
    const lineOf = ({ seq, values, rejected }: ClassifiedRow) => {
      if (values === null) return `{"seq":${seq},"rejected":${JSON.stringify(rejected)}}\n`
      const cells = names.map((name, i) => `${name}:${JSON.stringify(values[i])}`)
      return `{"seq":${seq},"values":{${cells.join(',')}}}\n`
    }
    return { out: rows.map(lineOf).join(''), rejects: [] }
  }
}

/** Standard output. A reader such as head may close it early, which is no error of a command that only prints. */
class OutputOf {
  readonly #out: Writable
  readonly #ignore = () => {} // the callback of each write gets the error

  constructor(out: Writable) {
    this.#out = out.on('error', this.#ignore)
  }

  /** Resolves with true when the text is written, and with false when nobody reads it any more. */
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
