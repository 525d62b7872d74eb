import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { python } from '../helpers/python.ts'

/** Either an answer or what Python raised. */
export interface Answer<T> {
  readonly answer?: T
  readonly error?: string
}

/** One warm Python child with pandas that answers questions in order (pandas_oracle.py). */
export class PandasOracle {
  readonly #child: ChildProcess
  readonly #waiting: ((line: string | null) => void)[] = []

  constructor() {
    this.#child = spawn(python, ['test/connectors/pandas_oracle.py'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const lines = createInterface({ input: this.#child.stdout! })
    lines.on('line', line => this.#waiting.shift()?.(line))
    lines.on('close', () => {
      for (const answer of this.#waiting) answer(null)
    })
  }

  async ask<T>(question: string, request: Readonly<Record<string, unknown>> = {}): Promise<Answer<T>> {
    const line = new Promise<string | null>(resolve => this.#waiting.push(resolve))
    this.#child.stdin!.write(`${JSON.stringify({ question, ...request })}\n`)
    const answer = await line
    if (answer === null) throw new Error(`the Python child ended without an answer to ${question}`)
    return JSON.parse(answer)
  }

  async close(): Promise<void> {
    const ended = new Promise(resolve => this.#child.once('close', resolve))
    this.#child.stdin!.end()
    await ended
  }
}
