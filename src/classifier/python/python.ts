import { fileURLToPath } from 'node:url'
import { jsonOptionOf, rowsOption } from '../../core/job.ts'
import { RowmillError } from '../../errors.ts'
import { optionOf } from '../../model.ts'
import { QUOTE_NONE, toCsvOf } from '../../pandas/to-csv.ts'
import { endedEarly, PythonChild, type PythonEnd } from '../../python/child.ts'
import { ForkServer, type ForkServerOptions } from '../../python/fork-server.ts'
import { type ForkServerAddress, forkPython } from '../../python/forked-process.ts'
import { frameOf } from '../../support/frame.ts'
import type { Say, ShowOutput } from '../../support/say.ts'
import type { ClassifiedBatch, ClassifierBatch, ClassifierJob, ClassifierRuntime, RowsClassifier } from '../boundary.ts'

export interface PythonClassifierOptions {
  /** The interpreter: a name on the PATH or a path, such as `python3` or `.venv/bin/python`. */
  readonly python: string
  /** `FILE[:NAME]` or `package.module:NAME`. NAME is `classify_df` unless given. */
  readonly target: string
  /** The working directory of the user's code, the caller's unless given. */
  readonly cwd?: string
  /** How much memory the process may use for its data, in MB. Null, the default: no limit. */
  readonly memoryMB?: number | null
  /** Called with what the user's code printed, in whole lines with their line ends. Very long lines come in pieces. */
  readonly onOutput: ShowOutput
  /** Where the fork server for this python and target is. If it is null, the default, or resolves with null, Python is started as usual. */
  readonly forks?: Promise<ForkServerAddress | null> | null
}

interface Hello {
  readonly python: string
  readonly pandas: string
  readonly fingerprint: string
  readonly quotesCarriageReturn: boolean
}

type HostAnswer = Partial<ClassifiedBatch> & { readonly hello?: Hello }

const HOST = fileURLToPath(new URL('./host.py', import.meta.url))
/** Options that the host gets as texts, if the job has them: JavaScript would round the numbers of a recipe. */
const PASTED = ['recipe', 'readCall', 'writeCall', 'like'] as const

/** Starts a server from which `forks` of PythonClassifier gets its processes. Null: it cannot be had on this system. */
export function startForkServer({
  target,
  ...options
}: Pick<PythonClassifierOptions, 'python' | 'target'> & Pick<ForkServerOptions, 'say' | 'time'>): ForkServer | null {
  return ForkServer.start({ ...options, script: HOST, args: [target] })
}

/**
 * The user's Python function over a pandas DataFrame, in one warm child process (host.py).
 *
 * pandas reads every batch as `read_csv` of the original job would have read these rows within the whole file. The cells
 * are those of its `to_csv`. Job options: `readCsv` and `toCsv` (JSON objects of keyword arguments) and `cast` (a JSON
 * array of [column, dtype]). The child ends with this process, however this process ends.
 *
 * In addition to the errors of RowsClassifier, `classify` throws USAGE if an option of the job cannot be honoured, and
 * ROW_MALFORMED if a row has more values than the header.
 */
export class PythonClassifier implements RowsClassifier {
  readonly #options: PythonClassifierOptions
  readonly #jobs = new WeakMap<ClassifierJob, Buffer>()
  #child: PythonChild<HostAnswer> | null = null
  #started: Promise<void> | null = null
  #hello: Hello | null = null
  #closed: RowmillError | null = null

  constructor(options: PythonClassifierOptions) {
    this.#options = options
  }

  start(): Promise<void> {
    this.#started ??= this.#start()
    return this.#started
  }

  get fingerprint(): Uint8Array {
    return Buffer.from(this.#known().fingerprint, 'hex')
  }

  get runtime(): ClassifierRuntime {
    const { python, pandas, quotesCarriageReturn } = this.#known()
    return { versions: { python, pandas }, quotesCarriageReturn }
  }

  async classify(batch: ClassifierBatch): Promise<ClassifiedBatch> {
    this.#known()
    const child = this.#child!
    if (child.death) throw child.death
    const job = this.#jobBytes(batch.job)
    const rows = frameOf(JSON.stringify({ rows: batch.rows, seqs: batch.seqs }))
    const answer = child.next()
    child.write(job)
    child.write(rows)
    const { columns = [], kinds = [], outputs, rows: cells = [] } = await answer
    return { columns, kinds, ...(outputs ? { outputs } : {}), rows: cells }
  }

  async close(): Promise<void> {
    this.#closed ??= new RowmillError('CLASSIFIER_DIED', `classifier ${this.#options.target} is closed.`)
    await this.#child?.close(this.#closed)
    await this.#started?.catch(() => {}) // the fork server may just have been asked
  }

  async #start(): Promise<void> {
    if (this.#closed) throw this.#closed
    const { python, target, cwd, memoryMB, onOutput, forks } = this.#options
    const args = [target, ...(memoryMB ? [String(memoryMB)] : [])]
    const server = forks ? await forks : null
    const say: Say = (text, facts) => onOutput(`rowmill: ${text}\n`, { ...facts, source: 'rowmill' })
    const forked = server && (await forkPython(server, args, say))
    const name = `classifier ${target}`
    const options = { python, script: HOST, args, cwd, name, onOutput, died: (end: PythonEnd) => this.#died(end) }
    this.#child = new PythonChild<HostAnswer>(options, forked ?? undefined)
    if (this.#closed) await this.#child.close(this.#closed)
    const { hello } = await this.#child.next()
    if (hello === undefined) throw new RowmillError('INTERNAL', `${HOST} began without a hello. Please report this.`)
    this.#hello = hello
  }

  #known(): Hello {
    if (this.#hello) return this.#hello
    const unready = new RowmillError('INTERNAL', 'PythonClassifier is used before start() resolved.')
    throw this.#child?.death ?? this.#closed ?? unready
  }

  #died(end: PythonEnd): RowmillError {
    const { python, target } = this.#options
    if (this.#hello === null && end.facts.signal === null) {
      if (!end.begun) return endedEarly(python, end, `classifier ${target} was imported`)
      const message = `the process ended with ${end.how} while it imported classifier ${target}. ${end.said}`
      return new RowmillError('CLASSIFIER_UNLOADABLE', message, { ...end.facts })
    }
    const when = this.#hello === null ? ' before it was imported' : ''
    const message = `the process of classifier ${target} ended with ${end.how}${when}${end.guess}. ${end.said}`
    return new RowmillError('CLASSIFIER_DIED', message, end.facts)
  }

  /** pandas before 3 does not escape the quote character (pandas #61407), and rowmill writes as pandas 3 does. */
  #refuseOldPandas(): void {
    const { pandas } = this.#known()
    if (Number.parseInt(pandas, 10) >= 3) return
    const message = `to_csv with quoting 3 and an escapechar: pandas ${pandas} does not escape quotes, but rowmill writes as pandas 3 does`
    throw new RowmillError('USAGE', `${message}. Use pandas 3 or other arguments.`, { pandas })
  }

  /** The job as the host gets it with each batch. The host parses it only if its bytes have changed. */
  #jobBytes(job: ClassifierJob): Buffer {
    const known = this.#jobs.get(job)
    if (known) return known
    const option = (name: string, fallback: string) => jsonOptionOf(job, name, fallback)
    const { host, sink, file } = toCsvOf(job)
    if (sink.quoting === QUOTE_NONE && sink.escapechar !== null) this.#refuseOldPandas()
    const bytes = frameOf(
      JSON.stringify({
        columns: job.columns,
        indexKind: job.indexKind,
        readCsv: option('readCsv', '{}'),
        toCsv: host,
        casts: option('cast', '[]'),
        unlabelled: sink.header === true && !sink.index_label,
        encoding: file.encoding && [file.encoding, file.errors, sink.header],
        ...Object.fromEntries(PASTED.map(name => [name, optionOf(job.options, name)])),
        rows: rowsOption(job),
      }),
    )
    this.#jobs.set(job, bytes)
    return bytes
  }
}
