/** A client of a managed service: all kinds of jobs in one pipeline, with their output compared. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { openJob, results } from '../../src/index.ts'
import { type CliOptions, startRowmill, testFolder } from './cli.ts'
import { propertiesText } from './ways-in.ts'

const CLASSIFIERS = join(import.meta.dirname, '../fixtures/classifiers.ts')
const REVERSES = ['--classifier', `${CLASSIFIERS}:later`, '--workers', '1']
/** Options of a worker that gives rows back as they are. */
export const PASSES = ['--classifier', CLASSIFIERS, '--workers', '1']
const COLUMNS = ['ID', 'A', 'B']
const rows = Array.from({ length: 150 }, (_, i) => [`${i}`, `a${i % 7}`, `${i / 8}`])
const INPUT = `${COLUMNS}\n${rows.map(row => `${row}\n`).join('')}`
/** The classifier gives the cells of a row in reverse, without a header. */
const classified = rows.map(row => row.toReversed())
const EXPECTED = classified.map(row => `${row}\n`).join('')

export type Properties = Readonly<Record<string, string>>

export interface ServiceOptions {
  readonly pipeline: string
  /** What the program of the SDK connects with, and the commands too unless there is a `file`. */
  readonly properties: Properties
  /** The text of the file of properties, as the service prints it. */
  readonly file?: string
  readonly env?: CliOptions['env']
  /** Options of every command. */
  readonly options?: readonly string[]
  readonly schemaRegistry?: string
}

export class ServiceClient {
  /** Where the commands run. It has `client.properties` and `in.csv`. */
  readonly folder: string
  /** All lines that the commands logged. */
  readonly said: string[] = []
  readonly #t: TestContext
  readonly #options: ServiceOptions

  constructor(t: TestContext, options: ServiceOptions) {
    this.#t = t
    this.#options = options
    this.folder = testFolder(t)
    writeFileSync(join(this.folder, 'in.csv'), INPUT)
    const text = options.file ?? propertiesText(options.properties)
    writeFileSync(join(this.folder, 'client.properties'), text, { mode: 0o600 })
  }

  start(...args: string[]) {
    const { pipeline, options = [], env = {} } = this.#options
    const at = ['--command-config', 'client.properties', '--pipeline', pipeline, ...options]
    const { child, finished } = startRowmill([...args, ...at], { cwd: this.folder, env })
    this.#t.after(() => child.kill('SIGKILL'))
    const ended = finished.then(result => {
      this.said.push(...result.stderr.split('\n').filter(line => line !== ''))
      return result
    })
    return { child, ended }
  }

  async does(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.start(...args).ended
    assert.equal(code, 0, `${args[0]}: ${stderr}`)
    return stdout
  }

  /**
   * A file with `run`, the same with `publish`, `work` and `collect`, and events with a program of the SDK. `pause` comes
   * after the first half of the events.
   */
  async doesAllJobs({
    partitions = [],
    pause,
  }: {
    partitions?: string[]
    pause?: () => Promise<void>
  } = {}): Promise<void> {
    await this.does('run', 'in.csv', 'run.csv', ...REVERSES, ...partitions)
    const work = this.start('work', ...REVERSES)
    const job = (await this.does('publish', 'in.csv')).trim()
    await this.does('collect', 'out.csv', '--job', job)
    for (const name of ['run.csv', 'out.csv']) assert.equal(readFileSync(join(this.folder, name), 'utf8'), EXPECTED)
    const { properties, pipeline, schemaRegistry = null } = this.#options
    const sdk = { kafka: { properties }, pipeline, schemaRegistry }
    const events = await openJob({ ...sdk, id: 'events', columns: COLUMNS })
    const half = rows.length / 2
    await Promise.all(rows.slice(0, half).map(row => events.send(row)))
    await pause?.()
    await Promise.all(rows.slice(half).map(row => events.send(row)))
    await events.end()
    await events.close()
    const found: (readonly string[])[] = []
    for await (const batch of results({ ...sdk, job: 'events' })) found.push(...batch.rows.map(row => row.values!))
    assert.deepEqual(found, classified)
    work.child.kill('SIGTERM')
    await once(work.child, 'exit')
    await work.ended
  }

  /** What the commands said of topics that the cluster refused. */
  get refusals(): string[] {
    return this.said.filter(line => line.includes('the cluster refuses'))
  }
}
