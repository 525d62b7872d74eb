import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { FrameReader } from '../../src/python/frames.ts'
import { frameOf } from '../../src/support/frame.ts'
import { FIXTURES, PYTHON } from './serial.ts'

const READER = fileURLToPath(new URL('../../src/classifier/python/reader.py', import.meta.url))

export interface ReaderAnswer {
  readonly checked?: { readonly toCsv: Record<string, unknown>; readonly names: readonly string[] }
  readonly learned?: {
    readonly columns: readonly string[]
    readonly recipe: string
    readonly total: number
    readonly digest: string
    readonly longestBytes: number
  }
  readonly rows?: readonly (readonly string[])[]
  readonly line?: number
  readonly end?: true
  readonly error?: { readonly code: string; readonly message: string; readonly facts: Record<string, unknown> }
  readonly note?: string
  readonly counted?: number
}

/** The real reader.py, driven over its frames. */
export class ReaderChild {
  readonly #child: ChildProcess
  readonly #answers: ReaderAnswer[] = []
  readonly #waiting: ((answer: ReaderAnswer) => void)[] = []

  constructor(t: Pick<TestContext, 'after'>, target = '', cwd = FIXTURES) {
    this.#child = spawn(PYTHON, ['-B', READER, String(process.pid), target], {
      cwd,
      stdio: ['ignore', 'inherit', 'inherit', 'pipe', 'pipe', 'pipe'],
    })
    const reader = new FrameReader(bytes => {
      const answer = JSON.parse(bytes.toString()) as ReaderAnswer
      const waiting = this.#waiting.shift()
      if (waiting) waiting(answer)
      else this.#answers.push(answer)
    })
    ;(this.#child.stdio[4] as Readable).on('data', chunk => reader.push(chunk))
    const gone = new Promise(resolve => this.#child.once('exit', resolve))
    t.after(() => {
      this.#child.kill('SIGKILL')
      return gone
    })
  }

  next(): Promise<ReaderAnswer> {
    const answer = this.#answers.shift()
    return answer ? Promise.resolve(answer) : new Promise(resolve => this.#waiting.push(resolve))
  }

  /** Sends a request. Resolves with its last answer and those before it. */
  async ask(request: Record<string, unknown>): Promise<{ last: ReaderAnswer; before: ReaderAnswer[] }> {
    ;(this.#child.stdio[3] as Writable).write(frameOf(JSON.stringify(request)))
    const before: ReaderAnswer[] = []
    for (;;) {
      const last = await this.next()
      if (last.error || last.checked || last.learned || last.end) return { last, before }
      before.push(last)
    }
  }
}
