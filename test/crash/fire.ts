/** One job on a pipeline of its own, whose commands are killed and restarted, and the check of its outcome. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CrashPoint } from '../../src/support/crash-point.ts'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { type CliOptions, type Finished, startRowmill, testFolder } from '../helpers/cli.ts'
import { descendants, type ProcessInfo, untilGone } from '../helpers/processes.ts'
import { serialJob } from '../helpers/serial.ts'
import { until } from '../helpers/until.ts'

export const CLASSIFIER = join(import.meta.dirname, '../fixtures/logs_indices.py:classify')
/** How often a command may be restarted before the test gives up. */
const TRIES = 200

/** Rows in a message and in a call of the classifier. */
const BATCH_ROWS = 25
/** Calls that a worker hands to its classifier before the first is answered. */
const CALLS_AHEAD = 2
const PARTITIONS = 8
/** The classifier sleeps 1 ms for each row, so a worker classifies no more. */
const ROWS_PER_MS = 1
/**
 * From the answer of a call to the commit: a worker commits every second, and the append to `results` and the commit are
 * two requests. They take milliseconds; on a machine with busy cores we allow them 250 ms.
 */
const UNCOMMITTED_MS = 1000 + 250

/**
 * How many rows are classified twice when the partitions of so many workers move, because the workers were killed or the
 * group rebalances. The next owner begins at the committed offset. Above it are:
 * - the rows in the calls of each worker, and in as many calls of the other worker, which lends it its classifier. Results
 *   are sent in order, so as many rows may be classified after these
 * - the rows that each worker classified, but did not commit yet
 * - in each partition, the classified rows of a message that is not finished: a commit is an offset, and a message has one
 */
function handOver(workers: number): number {
  const inCalls = 3 * CALLS_AHEAD * BATCH_ROWS
  return workers * (inCalls + ROWS_PER_MS * UNCOMMITTED_MS) + PARTITIONS * (BATCH_ROWS - 1)
}

/** The partitions of one worker move: for instance when a second worker joins after the start. */
export const ONE_MOVES = handOver(1)
/** Those of two workers. If one of them was killed, its rows are among these. */
export const TWO_MOVE = handOver(2)

export type Command = ReturnType<typeof startRowmill>

/** Where a command is killed, on which visit, and its extra options. */
export interface Fate {
  readonly at?: CrashPoint
  readonly time?: number
  readonly more?: readonly string[]
}

interface FireOptions {
  readonly rows?: number
  /** Default: the broker of this test run. */
  readonly brokers?: string
  readonly output?: string
  /** The rowmill to run. Default: this clone. */
  readonly bin?: string
  /** More variables of every command. */
  readonly env?: Readonly<Record<string, string>>
}

export class Fire {
  readonly pipeline: string
  readonly #started: Command[] = []
  readonly folder: string
  readonly input: string
  readonly output: string
  readonly log: string
  readonly rows: number
  readonly serial: string
  readonly env: Record<string, string>
  readonly #options: CliOptions
  readonly #t: TestContext
  /** Every process seen at some time. */
  readonly #seen: ProcessInfo[] = []
  readonly #watching = new AbortController()
  #watched: Promise<void> = Promise.resolve()

  private constructor(
    t: TestContext,
    parts: Pick<Fire, 'folder' | 'output' | 'rows' | 'serial' | 'env'>,
    options: CliOptions,
  ) {
    this.#t = t
    this.folder = parts.folder
    this.input = join(parts.folder, 'in.csv')
    this.output = parts.output
    this.log = join(parts.folder, 'indices.log')
    this.rows = parts.rows
    this.serial = parts.serial
    this.pipeline = parts.env['ROWMILL_PIPELINE']!
    this.env = { ...parts.env, ROWMILL_TEST_LOG: this.log }
    this.#options = options
  }

  static async open(
    t: TestContext,
    { rows = 3000, brokers = '', output = '', bin, env: more = {} }: FireOptions = {},
  ): Promise<Fire> {
    const folder = testFolder(t)
    const { pipeline } = brokers ? { pipeline: `fire-${randomBytes(4).toString('hex')}` } : await testPipeline(t)
    const input = join(folder, 'in.csv')
    writeFileSync(input, `ID,A\n${Array.from({ length: rows }, (_, row) => `${row * 3},"text, ${row}"\n`).join('')}`)
    const serial = await serialJob(input, CLASSIFIER)
    const env = {
      ROWMILL_BROKERS: brokers || (await brokerAddress()),
      ROWMILL_PIPELINE: pipeline,
      ROWMILL_BATCH_ROWS: `${BATCH_ROWS}`,
      ROWMILL_PROBE: '0', // the log has what workers classified
      ...more,
    }
    const parts = { folder, output: output || join(folder, 'out.csv'), rows, serial, env }
    const fire = new Fire(t, parts, bin ? { bin } : {})
    fire.#watched = fire.#watchPrefix()
    fire.#watched.catch(() => {}) // the caller of stop gets the error
    t.after(() => {
      fire.#watching.abort()
      fire.#explain()
      for (const { child } of fire.running) child.kill('SIGKILL') // of a failed test; workers end with their command
      for (const { pid, startTime } of fire.#seen) if (isSame(pid, startTime)) process.kill(pid, 'SIGKILL')
    })
    return fire
  }

  start(args: readonly string[], { at, time = 1, more = [] }: Fate = {}): Command {
    const once = join(this.folder, `crashed-${at}`)
    const env = at ? { ...this.env, ROWMILL_CRASH: `${at}:${time} ${once}` } : this.env
    const command = startRowmill([...args, ...more], { ...this.#options, env })
    this.#started.push(command)
    return command
  }

  /** The commands that have not ended. */
  get running(): Command[] {
    return this.#started.filter(({ child }) => child.exitCode === null && child.signalCode === null)
  }

  /** If a command still runs at the end, the test failed: what did each command say? */
  #explain(): void {
    if (this.running.length === 0) return
    for (const { child, args, said } of this.#started) {
      const state = child.signalCode ?? child.exitCode ?? 'still running'
      this.#t.diagnostic(`${args.slice(1).join(' ')}: ${state}\n${said()}`)
    }
  }

  publish = (fate?: Fate) => this.start(['publish', this.input, '--job', 'j'], fate)
  collect = (fate?: Fate) => this.start(['collect', this.output, '--job', 'j'], fate)
  work = (workers: number, fate?: Fate) =>
    this.start(['work', '--classifier', CLASSIFIER, '--workers', `${workers}`], fate)

  /** Restarts a command until it ends by itself; returns how often it was killed. */
  async untilDone(give: () => Command): Promise<number> {
    for (let killed = 0; killed < TRIES; killed++) {
      const command = give()
      const { code, signal, stderr } = await command.finished
      if (signal === 'SIGKILL') continue
      assert.equal(code, 0, stderr)
      return killed
    }
    assert.fail(`killed ${TRIES} times`)
  }

  /** Remembers the processes below a command, to look for them at the end. */
  note(command: Command): void {
    for (const info of descendants(command.child.pid!)) this.#seen.push(info)
  }

  /** Stops workers as a user does. */
  async drain(...workers: readonly Command[]): Promise<void> {
    for (const worker of workers) this.note(worker)
    for (const { child } of workers) child.kill('SIGTERM')
    for (const { finished } of workers) assertCode(await finished, 0)
  }

  /** How often each row was classified. */
  classified(): Map<string, number> {
    const counts = new Map<string, number>()
    if (!existsSync(this.log)) return counts
    for (const line of readFileSync(this.log, 'utf8').trimEnd().split('\n'))
      for (const index of line.split(' ').slice(1)) counts.set(index, (counts.get(index) ?? 0) + 1)
    return counts
  }

  untilClassified(rows: number): Promise<void> {
    return until(`${rows} rows are classified`, () => this.classified().size >= rows)
  }

  /** The number of batches given to a classifier. */
  get batches(): number {
    return (read(this.log) ?? '').split('\n').length - 1
  }

  /** The rows that were classified more than once. */
  get again(): number {
    return [...this.classified().values()].reduce((sum, times) => sum + times - 1, 0)
  }

  /**
   * The invariants, by name. output: the bytes of the undisturbed run; once: verify finds every row in one place;
   * prefix: at any moment the checkpointed bytes were the first bytes of the output; nothing left: no process runs and
   * no file remains; again: at most this many rows were classified twice. Returns the counts of verify.
   */
  async check({ again }: { again: number }): Promise<string> {
    await this.stopWatching()
    assert.equal(read(this.output), this.serial, 'output')
    const verified = await this.start(['verify', this.output, '--job', 'j']).finished
    assertCode(verified, 0, 'once')
    assert.equal(this.classified().size, this.rows, 'again: every row was classified')
    this.#t.diagnostic(`${this.again} rows were classified twice; the limit is ${again}`)
    assert.ok(this.again <= again, `again: ${this.again} rows were classified twice; the limit is ${again}`)
    assert.equal(existsSync(`${this.output}.rowmill`), false, 'nothing left: the state of a complete output')
    await untilGone(this.#seen).catch(({ message }) => assert.fail(`nothing left: ${message}`))
    return verified.stdout
  }

  /** Ends the watch over the prefix, because the test itself will spoil it. */
  async stopWatching(): Promise<void> {
    this.#watching.abort()
    await this.#watched
  }

  async #watchPrefix(): Promise<void> {
    const folder = `${this.output}.rowmill`
    while (!this.#watching.signal.aborted) {
      const checkpoint = read(join(folder, 'checkpoint'))
      const last = checkpoint ? JSON.parse(checkpoint) : null
      const partial = last && read(join(folder, last.partial))
      if (partial) {
        const { bytes } = last
        assert.equal(partial.slice(0, bytes), this.serial.slice(0, bytes), 'prefix')
      }
      // a file sends no event when it changes
      await sleep(20, undefined, { signal: this.#watching.signal }).catch(() => {})
    }
  }
}

export function assertCode({ code, stderr }: Finished, expected: number, what = 'exit code'): void {
  assert.equal(code, expected, `${what}: ${stderr}`)
}

/**
 * An outage ends when "the broker is back". All readers of a command tell it once together, and each cause once, such as a
 * closed or a refused connection. While a broker starts, it may answer a little and be gone again.
 */
export function assertOutagesToldOnce(stderr: string): void {
  const outages = stderr.split(/the broker is back.*/).map(text => text.match(/cannot read from the broker.*/g) ?? [])
  assert.ok(outages.flat().length > 0, `no outage was told: ${stderr}`)
  for (const told of outages) assert.equal(new Set(told).size, told.length, stderr)
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null // it was renamed or removed meanwhile
  }
}

function isSame(pid: number, startTime: string): boolean {
  const stat = read(`/proc/${pid}/stat`)
  return stat !== null && stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] === startTime
}
