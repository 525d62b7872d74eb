import { type ChildProcess, fork } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { moduleTarget } from '../classifier/module/module-target.ts'
import { type ErrorRecord, errorFromRecord, RowmillError } from '../errors.ts'
import type { Job } from '../model.ts'
import { endStarted, markedEnvironment, newMark } from '../support/started-processes.ts'
import { type Judged, type Probe, type ProbeArguments, type ProbeCut, Prober } from './prober.ts'
import type { Sample } from './sample.ts'

export interface ToProbe {
  readonly job: Job
  readonly sample: Sample
  readonly how: ProbeCut
}

export type FromProbe = Judged | { readonly error: ErrorRecord }

/** A Python function has a process of its own anyway. One in TypeScript gets one: a thread can end the process that it is in. */
export function openProbe(args: ProbeArguments): Probe {
  return moduleTarget(args.target) ? new ProbeProcess(args) : new Prober(args)
}

/** A probe in a process of its own. */
class ProbeProcess implements Probe {
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

  judge(job: Job, sample: Sample, how: ProbeCut): Promise<Judged> {
    const answered = Promise.withResolvers<Judged>()
    if (this.#death) answered.reject(this.#death)
    else {
      this.#waiting.push(answered)
      this.#child.send({ job, sample, how } satisfies ToProbe, () => {}) // if the process has ended, its end says so
    }
    return answered.promise
  }

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
