import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')

export interface WorkersOptions {
  readonly broker: string
  readonly pipeline: string
  readonly classifier: string
  readonly workers: number
  readonly python: string
}

/** `rowmill work`, every other option at its default. */
export class Workers {
  readonly #child: ChildProcess
  readonly #ended: Promise<number | null>

  constructor({ broker, pipeline, classifier, workers, python }: WorkersOptions) {
    const place = ['--brokers', broker, '--pipeline', pipeline, '--python', python, '--quiet']
    const args = ['work', '--classifier', classifier, '--workers', String(workers), ...place]
    this.#child = spawn(process.execPath, [join(ROOT, 'bin/rowmill.js'), ...args], {
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    this.#ended = new Promise((resolve, reject) => this.#child.once('error', reject).once('exit', resolve))
    this.#ended.catch(() => {})
  }

  /** Lets the workers finish their batches and leave. Resolves when they have ended. Can be called twice. */
  async leave(): Promise<void> {
    this.#child.kill('SIGTERM')
    const code = await this.#ended
    if (code !== 0) throw new Error(`${this.#child.spawnargs.join(' ')} ended with exit code ${code}`)
  }
}
