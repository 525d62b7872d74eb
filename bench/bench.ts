import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { firstDifference } from '../scripts/compare-files.ts'
import { startLocalBroker } from '../src/broker/local-broker.ts'
import type { LocalBroker } from '../src/broker/running-broker.ts'
import { type Checkout, openCheckout } from './checkout.ts'
import { type Contender, passThrough, ROOT, serialJob } from './contenders.ts'
import { type Cost, measure } from './measure.ts'
import { describeUsage, type Measured } from './report.ts'

/** Rows that pass a new broker before anything is measured, so that its compilers and caches are warm. */
const WARM_ROWS = 200_000

export interface BenchOptions {
  readonly python: string
  readonly rounds: number
  /** Contenders to measure. Null: all. */
  readonly only: readonly string[] | null
  /** A commit of rowmill to measure beside this checkout. */
  readonly beside: string | null
  readonly say: (text: string) => void
}

/** Something that is measured again and again. */
export interface Runner {
  readonly name: string
  /** Throws if what comes out is wrong. */
  run(): Promise<Cost>
}

/** What the parts share: rows, expected outputs, warm brokers, another checkout. Each is made when it is first used. */
export class Bench {
  readonly python: string
  readonly rounds: number
  readonly folder: string
  readonly say: (text: string) => void
  /** This checkout, and the one beside it. The name of a contender is followed by `label`. */
  readonly checkouts: readonly Checkout[]
  readonly #only: readonly string[] | null
  readonly #brokers = new Map<string, Promise<LocalBroker>>()
  readonly #files = new Map<string, Promise<string>>()

  private constructor(options: BenchOptions, folder: string, checkouts: readonly Checkout[]) {
    this.python = options.python
    this.rounds = options.rounds
    this.say = options.say
    this.#only = options.only
    this.folder = folder
    this.checkouts = checkouts
  }

  static async open(options: BenchOptions): Promise<Bench> {
    const folder = await mkdtemp(join(tmpdir(), 'rowmill-bench-'))
    try {
      const here = { root: ROOT, label: '', close: async () => {} }
      const beside = options.beside === null ? [] : [await openCheckout(options.beside, folder, options.say)]
      return new Bench(options, folder, [here, ...beside])
    } catch (error) {
      rmSync(folder, { recursive: true, force: true })
      throw error
    }
  }

  /** The path of a file in the folder of this run. */
  file(name: string): string {
    return join(this.folder, name)
  }

  /** A file of this many rows. */
  rows(count: number): Promise<string> {
    const path = this.file(`in-${count}.csv`)
    const command = [this.python, join(ROOT, 'examples/make_rows.py'), String(count), path]
    return this.#once(path, () => measure('make_rows.py', command))
  }

  /** The output of the original job for these rows, or of a contender that makes the same. */
  expected(count: number, { name, command, environment }: Contender = serialJob(this.python)): Promise<string> {
    const path = this.file(`expected-${name.replaceAll(' ', '-')}-${count}.csv`)
    return this.#once(path, async () => measure(name, command(await this.rows(count), path), environment))
  }

  /** The address of a warm local Kafka; `properties` replace those that rowmill gives to it. */
  async broker(properties: Readonly<Record<string, string>> = {}): Promise<string> {
    const key = JSON.stringify(properties)
    const started = this.#brokers.get(key) ?? this.#startBroker(properties)
    this.#brokers.set(key, started)
    return (await started).address
  }

  /** Ends a broker that only one part needs. */
  async endBroker(properties: Readonly<Record<string, string>>): Promise<void> {
    const key = JSON.stringify(properties)
    const broker = await this.#brokers.get(key)
    this.#brokers.delete(key)
    await broker?.close()
  }

  isChosen(name: string): boolean {
    return this.#only === null || this.#only.includes(name)
  }

  /** A contender on these rows. Its output must be the file `wanted`. */
  runner(contender: Contender, { input, wanted }: { input: string; wanted: string }): Runner {
    const { name, command, environment } = contender
    const output = this.file('out.csv')
    const run = async () => {
      await rm(output, { force: true })
      const cost = await measure(name, command(input, output), environment)
      await this.mustBe(wanted, output, name)
      return cost
    }
    return { name, run }
  }

  async mustBe(wanted: string, output: string, name: string): Promise<void> {
    const difference = await firstDifference(wanted, output)
    if (difference) throw new Error(`${name}: the output differs, ${difference}`)
  }

  /** Every chosen one in every round, in turns: A B C, C B A, A B C. */
  async interleave(all: readonly Runner[], rows: number): Promise<Measured[]> {
    const chosen = all.filter(({ name }) => this.isChosen(name))
    const measured: Measured[] = []
    for (let round = 0; round < this.rounds; round++) {
      for (const runner of round % 2 === 0 ? chosen : chosen.toReversed()) {
        const { name } = runner
        const { seconds, usage } = await runner.run()
        measured.push({ name, rows, round, seconds, usage })
        console.log(`${rows} rows  ${name.padEnd(32)}${seconds.toFixed(2).padStart(8)} s  ${describeUsage(usage)}`)
      }
    }
    return measured
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#brokers.values()].map(async broker => (await broker).close()))
    await Promise.allSettled(this.checkouts.map(checkout => checkout.close()))
    await rm(this.folder, { recursive: true, force: true })
  }

  async #startBroker(properties: Readonly<Record<string, string>>): Promise<LocalBroker> {
    // Or a minute of deleted topics would fill the disk.
    const kept = { 'log.segment.delete.delay.ms': '1000', ...properties }
    const broker = await startLocalBroker({ onProgress: this.say, properties: kept })
    const [input, output] = [await this.rows(WARM_ROWS), this.file('warm.csv')]
    const { name, command } = passThrough('warm-up', broker.address, { python: this.python })
    await measure(name, command(input, output))
    return broker
  }

  #once(path: string, make: () => Promise<unknown>): Promise<string> {
    const made = this.#files.get(path) ?? make().then(() => path)
    this.#files.set(path, made)
    return made
  }
}
