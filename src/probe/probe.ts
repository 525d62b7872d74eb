import { type ChildProcess, fork } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ErrorRecord, errorFromRecord, RowmillError } from '../errors.ts'
import type { Job } from '../model.ts'
import { endStarted, markedEnvironment, newMark } from '../support/started-processes.ts'
import type { Judgement } from './judge.ts'
import type { Sample } from './sample.ts'

export interface ProbeArguments {
  /** `FILE[:NAME]` or `package.module:name`. */
  readonly target: string
  readonly python: string
  /** How long a classifier call may take, in seconds. */
  readonly batchTimeout: number
  /** How much memory the classifier may use, in MB. Null: no limit. */
  readonly classifierMemory: number | null
}

export interface ToProbe {
  readonly job: Job
  readonly sample: Sample
  /** The batches to compare with all rows at once, as places among the rows. Null: those of CUTS. */
  readonly batches: readonly (readonly number[])[] | null
}

/** What came out, and what it took. */
export interface Judged extends Judgement {
  /** How often the classifier was called. */
  readonly calls: number
  readonly seconds: number
}

export type FromProbe = Judged | { readonly error: ErrorRecord }

/** A classifier beside a job, in a process of its own, that shows whether the result of a row depends on its batch. */
export class Probe {
  readonly #mark = newMark()
  readonly #child: ChildProcess
  readonly #gone: Promise<void>
  readonly #waiting: PromiseWithResolvers<Judged>[] = []
  #death: RowmillError | null = null

  constructor(args: ProbeArguments) {
    const entry = fileURLToPath(new URL(`./probe-process${extname(import.meta.filename)}`, import.meta.url))
    this.#child = fork(entry, [JSON.stringify(args)], {
      env: markedEnvironment(this.#mark),
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    this.#child.on('message', (answer: FromProbe) => {
      const waiting = this.#waiting.shift()
      if ('error' in answer) waiting?.reject(errorFromRecord(answer.error))
      else waiting?.resolve(answer)
    })
    this.#gone = this.#watch()
  }

  /** Tries the rows in several cuts, or in these batches. Rejects if that cannot be done. */
  judge(job: Job, sample: Sample, batches: ToProbe['batches'] = null): Promise<Judged> {
    const answered = Promise.withResolvers<Judged>()
    if (this.#death) answered.reject(this.#death)
    else {
      this.#waiting.push(answered)
      this.#child.send({ job, sample, batches } satisfies ToProbe, () => {}) // if the process has ended, its end says so
    }
    return answered.promise
  }

  /** Ends the process and everything that it started. Twice is fine. */
  async close(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#gone
  }

  /** Resolves when the process is gone and every call is settled. */
  #watch(): Promise<void> {
    return new Promise(resolve => {
      const ended = (how: string) => {
        endStarted(this.#mark)
        this.#death ??= new RowmillError('CLASSIFIER_DIED', `its process ended with ${how}`)
        for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#death)
        resolve()
      }
      this.#child.once('exit', (code, signal) => ended(signal ?? `exit code ${code}`))
      this.#child.on('error', error => {
        if (this.#child.pid === undefined) ended(error.message)
      })
    })
  }
}
