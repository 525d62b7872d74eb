import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Kafka } from '../../src/kafka/index.ts'
import type { Job, Values } from '../../src/model.ts'
import { JobLog } from '../../src/pipeline/job-log.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import type { CrashPoint } from '../../src/support/crash-point.ts'
import { brokerAddress, testKafka, testPipeline } from './broker.ts'
import { testFolder } from './cli.ts'
import { type CountedRows, checkRows, countRows, type SafeRow } from './counted-rows.ts'
import { readTopic } from './pipeline.ts'
import { until } from './until.ts'

const SCRIPT = fileURLToPath(new URL('../fixtures/producer.ts', import.meta.url))
const SDK = fileURLToPath(new URL('../../src/index.ts', import.meta.url))
const PARTITIONS = 4

interface Line {
  readonly opened?: number
  readonly safe?: number
  readonly values?: Values
  readonly sent?: number
  readonly lost?: string
  readonly closed?: true
  readonly ended?: true
}

/** How a producer is started. */
export interface Fate {
  /** Sends up to this row. */
  readonly total: number
  /** Between bursts of ten rows. */
  readonly pauseMs?: number
  /** When everything is sent and safe: leaves, ends the job, or stays until it loses it. */
  readonly last?: 'close' | 'end' | 'hold'
  /** Where it is killed, and on which visit. */
  readonly at?: CrashPoint
  readonly time?: number
}

/** One producer in its own process (test/fixtures/producer.ts). */
export class ProducerProcess {
  readonly name: string
  readonly child: ChildProcess
  readonly lines: Line[] = []
  readonly ended: Promise<unknown>

  constructor(name: string, child: ChildProcess) {
    this.name = name
    this.child = child
    const lines = createInterface({ input: child.stdout! }).on('line', line => this.lines.push(JSON.parse(line)))
    this.ended = Promise.all([once(child, 'close'), once(lines, 'close')]) // the last line may come after the exit
  }

  get safe(): SafeRow[] {
    return this.lines.flatMap(({ safe, values }) =>
      safe === undefined ? [] : [{ producer: this.name, seq: safe, values: values! }],
    )
  }

  get lost(): string | undefined {
    return this.lines.find(({ lost }) => lost !== undefined)?.lost
  }

  get over(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }

  says(field: keyof Line): Promise<void> {
    return until(`${this.name} says ${field}`, () => this.over || this.lines.some(line => field in line))
  }

  untilSafe(rows: number): Promise<void> {
    return until(`${rows} rows of ${this.name} are safe`, () => this.over || this.safe.length >= rows)
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.ended
  }
}

/** One job, the producers that come and go, and the check of the outcome. */
export class Producers {
  readonly #all: ProducerProcess[] = []
  readonly kafka: Kafka
  readonly pipeline: string
  readonly #folder: string
  readonly #sdk: string

  private constructor(kafka: Kafka, pipeline: string, { folder, sdk }: { folder: string; sdk: string }) {
    this.kafka = kafka
    this.pipeline = pipeline
    this.#folder = folder
    this.#sdk = sdk
  }

  /** `bin`: of a mutant, whose SDK is used. */
  static async open(t: TestContext, bin?: string): Promise<Producers> {
    const { pipeline, admin } = await testPipeline(t)
    await ensureTopics(admin, pipeline, PARTITIONS)
    const sdk = bin === undefined ? SDK : join(dirname(bin), '../src/index.ts')
    const producers = new Producers(await testKafka(), pipeline, { folder: testFolder(t), sdk })
    t.after(async () => {
      for (const each of producers.#all) await each.kill()
    })
    return producers
  }

  async start({ total, pauseMs = 2, last = 'close', at, time = 1 }: Fate): Promise<ProducerProcess> {
    const name = `producer ${this.#all.length}`
    const brokers = [await brokerAddress()]
    const asked = { sdk: this.#sdk, name, brokers, pipeline: this.pipeline, total, pauseMs, last }
    const crash = at ? { ROWMILL_CRASH: `${at}:${time} ${join(this.#folder, name)}` } : {}
    const child = spawn(process.execPath, [SCRIPT, JSON.stringify(asked)], {
      env: { ...process.env, ...crash },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const producer = new ProducerProcess(name, child)
    this.#all.push(producer)
    return producer
  }

  /** Starts a producer and waits for its end. */
  async run(fate: Fate): Promise<ProducerProcess> {
    const producer = await this.start(fate)
    await producer.ended
    return producer
  }

  /** The rows that were reported to any of them as safe. */
  get safe(): SafeRow[] {
    return this.#all.flatMap(({ safe }) => safe)
  }

  async read(): Promise<{ counted: CountedRows; job: Job }> {
    const jobs = await JobLog.open(this.kafka, this.pipeline, () => {})
    try {
      const job = (await jobs.latest('j'))!
      return { counted: countRows(await readTopic(this.kafka, topicsOf(this.pipeline).rows, PARTITIONS), 'j'), job }
    } finally {
      await jobs.close()
    }
  }

  /**
   * The invariants (`checkRows`), and: row n is what was sent as row n, by any producer; the job has ended with `total`
   * rows, and every partition says so.
   */
  async check(total: number): Promise<void> {
    const { counted, job } = await this.read()
    assert.equal(checkRows(counted, this.safe), total)
    for (const [seq, [sent]] of counted.rows) assert.equal(sent, `${seq}`, `place: row ${seq}`)
    assert.deepEqual([job.state, job.total], ['ended', total], 'end')
    for (const end of counted.ends) assert.equal(end?.total, total, 'end')
  }
}
