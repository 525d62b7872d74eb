/** The fenced blocks of a page, and a shell that runs them one after the other, as a reader would. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './installed.ts'
import { descendants, untilGone } from './processes.ts'
import { until } from './until.ts'

export interface Block {
  /** The word after the opening fence; empty if there is none. */
  readonly language: string
  readonly text: string
  /** The file that its first line names in a comment; null if it names none. */
  readonly file: string | null
}

/** The blocks of a page of this clone, in order. */
export function blocksOf(page: string): Block[] {
  const text = readFileSync(join(ROOT, page), 'utf8')
  const fences = text.match(/^\s*(```|~~~)/gm) ?? []
  const blocks = [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)]
  assert.equal(fences.length, blocks.length * 2, `${page}: every fence is three backquotes at the start of a line`)
  return blocks.map(([, language, text]) => ({
    language: language!,
    text: text!,
    file: /^(?:\/\/|#) (\S+\.\w+)\n/.exec(text!)?.[1] ?? null,
  }))
}

/** A line as a reader runs it: OUT of the day before is gone, and a command that keeps running has its own terminal. */
export function asARun(line: string): string {
  if (/ classified\.csv /.test(line) && / (run rows\.csv|collect) /.test(line) && !line.includes('--force'))
    return `rm -f classified.csv\n${line}`
  if (/ run --resume /.test(line)) {
    const failed = 'rowmill run rows.csv classified.csv --classifier black_box.py || [ $? = 5 ]'
    return `rm -f classified.csv\ncp fails.py black_box.py\n${failed}\ncp works.py black_box.py\n${line}`
  }
  const [command] = line.split(' #', 1)
  if (/\browmill broker\b/.test(line))
    return `${command} > broker.address &\nuntil [ -s broker.address ]; do sleep 0.1; done`
  return /\browmill (work|tail)\b|--follow/.test(line) ? `${command} &` : line
}

/** One bash for a whole page. It ends at the first command that fails, and the test fails with it. */
export class PageShell {
  readonly #shell
  #started
  #blocks = 0
  #ended = false
  #stdout = ''
  #stderr = ''

  constructor(
    t: { after(fn: () => Promise<void>): void },
    { cwd, env }: { cwd: string; env: Readonly<Record<string, string | undefined>> },
  ) {
    const stdio: ['pipe', 'pipe', 'pipe'] = ['pipe', 'pipe', 'pipe']
    this.#shell = spawn('bash', ['-e'], {
      cwd,
      env: { ...process.env, ROWMILL_KEEP: 'false', ...env },
      stdio,
      detached: true,
    })
    this.#shell.stdout.on('data', chunk => {
      this.#stdout += chunk
    })
    this.#shell.stderr.on('data', chunk => {
      this.#stderr += chunk
    })
    this.#shell.stdin.on('error', () => {}) // the shell has ended, which `says` reports
    this.#shell.once('exit', () => {
      this.#ended = true
    })
    this.#started = descendants(this.#shell.pid!)
    t.after(() => this.#end())
  }

  /** What its commands have printed so far. */
  get lines(): string[] {
    return this.#stdout.split('\n')
  }

  /** Runs this text; resolves when its last command in the foreground has ended. */
  async run(text: string): Promise<void> {
    const done = `done ${this.#blocks++}`
    this.#shell.stdin.write(`${text}\necho "${done}"\n`)
    await this.says(done)
    this.#started = [...this.#started, ...descendants(this.#shell.pid!)]
  }

  /** Resolves when this line has been printed. */
  says(line: string): Promise<void> {
    return this.until(`says ${line}`, () => this.lines.includes(line))
  }

  /** Resolves when `holds` is true. If it never is, rejects with everything that was printed. */
  async until(what: string, holds: () => boolean): Promise<void> {
    const printed = () => `never: ${what}\n${this.#stdout}\n${this.#stderr}`
    const check = () => {
      if (holds()) return true
      assert.ok(!this.#ended, `the shell ended, ${printed()}`)
      return false
    }
    await until(what, check).catch(error => assert.fail(this.#ended ? error.message : printed()))
  }

  async #end(): Promise<void> {
    // What runs in the background outlives the shell, but stays in its process group.
    this.#started = [...this.#started, ...descendants(this.#shell.pid!)]
    try {
      process.kill(-this.#shell.pid!, 'SIGKILL')
    } catch {
      // There is nothing left.
    }
    await untilGone(this.#started)
  }
}
