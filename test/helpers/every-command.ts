/** Every command once on a cluster: what any Kafka must be able to do, whatever its version and its maker. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { clusterSettings } from '../../src/client-config/kafka-options.ts'
import { parseProperties } from '../../src/client-config/properties-file.ts'
import { openJob, results } from '../../src/index.ts'
import { Kafka } from '../../src/kafka/index.ts'
import { topicsOf, workersGroup } from '../../src/pipeline/topic-names.ts'
import { rowmill, startRowmill, testFolder } from './cli.ts'
import { librdkafkaProperties, produceWithLibrdkafka } from './foreign-producer.ts'
import { serialJob } from './serial.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.py:a_float')
const WORKERS = ['--workers', '2']
const ROWS = 10_000
const EVENTS = 300
const COLUMNS = ['ID', 'A', 'B']

/** The values of one row. They need quotes, and more than ASCII. */
const valuesOf = (row: number) => [`${row}`, `a "${row % 7}", größer`, `${row / 8}`]
const csvOf = (rows: readonly (readonly string[])[]) =>
  rows.map(row => `${row.map(value => (/[",]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value))}\n`).join('')
const rowsBelow = (count: number) => Array.from({ length: count }, (_, row) => valuesOf(row))

/**
 * Runs every command on the cluster that the properties file `config` names, in a pipeline of its own, and compares what
 * comes out with plain pandas. The topics are removed at the end.
 */
export async function everyCommand(t: TestContext, config: string): Promise<void> {
  const place = await Place.open(t, config)
  try {
    await planTopics(place)
    await runOnce(place)
    place.work()
    await publishAndCollect(place)
    await sendEvents(place)
    await produceElsewhere(place)
    await listAndRemove(place)
  } finally {
    await place.close()
  }
}

class Place {
  readonly pipeline = `rowmill-compat-${randomBytes(4).toString('hex')}`
  readonly topics = topicsOf(this.pipeline)
  readonly t: TestContext
  readonly kafka: { readonly properties: Readonly<Record<string, string>> }
  readonly folder: string
  readonly input: string
  readonly expected: string
  readonly #config: string
  #working: ReturnType<typeof startRowmill> | null = null

  private constructor(t: TestContext, config: string, made: Pick<Place, 'folder' | 'input' | 'expected'>) {
    this.t = t
    this.#config = config
    const given = parseProperties(readFileSync(config, 'utf8'), config)
    this.kafka = { properties: Object.fromEntries(given.map(({ name, value }) => [name, value])) }
    this.folder = made.folder
    this.input = made.input
    this.expected = made.expected
  }

  static async open(t: TestContext, config: string): Promise<Place> {
    const folder = testFolder(t)
    const input = join(folder, 'in.csv')
    writeFileSync(input, csvOf([COLUMNS, ...rowsBelow(ROWS)]))
    return new Place(t, config, { folder, input, expected: await serialJob(input, CLASSIFIER) })
  }

  get settings() {
    return clusterSettings(this.kafka)
  }

  /** Runs a command, and resolves to what it prints. */
  async does(args: readonly string[], code = 0): Promise<string> {
    const ended = await rowmill([...args, '--command-config', this.#config])
    assert.equal(ended.code, code, `rowmill ${args.join(' ')}\n${ended.stdout}${ended.stderr}`)
    return ended.stdout
  }

  /** The same, in the pipeline of this place. */
  in(args: readonly string[], code = 0): Promise<string> {
    return this.does([...args, '--pipeline', this.pipeline], code)
  }

  /** Starts workers, until `close`. */
  work(): void {
    const args = ['work', '--classifier', CLASSIFIER, ...WORKERS, '--pipeline', this.pipeline]
    this.#working = startRowmill([...args, '--command-config', this.#config])
  }

  /** The first results of a job, in the order of their ids, as pandas writes them. */
  async results(job: string, count: number): Promise<string> {
    const rows: (readonly string[])[] = []
    for await (const batch of results({ kafka: this.kafka, pipeline: this.pipeline, job })) {
      rows.push(...batch.rows.map(({ values }) => values ?? ['rejected']))
      if (rows.length >= count) break
    }
    return csvOf(rows.sort(([a], [b]) => Number(a) - Number(b)))
  }

  /** What pandas writes for the first rows. */
  first(rows: number): string {
    return this.expected.split('\n', rows).join('\n').concat('\n')
  }

  /** Stops the workers and removes the topics. */
  async close(): Promise<void> {
    this.#working?.child.kill('SIGTERM')
    const ended = await this.#working?.finished
    const admin = await new Kafka({ ...this.settings, clientId: 'test' }).admin()
    const there = await admin.partitions(Object.values(this.topics))
    await admin.deleteTopics([...there.keys()])
    await admin.deleteGroup(workersGroup(this.pipeline)).catch(() => {}) // a group with a killed member expires later
    await admin.close()
    assert.equal(ended?.code ?? 0, 0, ended?.stderr)
  }
}

async function planTopics(place: Place): Promise<void> {
  const topics = Object.values(place.topics)
  const named = (text: string) => topics.filter(topic => text.includes(topic))
  assert.deepEqual(named(await place.in(['topics', 'plan', ...WORKERS])), topics)
  assert.deepEqual(named(await place.in(['topics', 'check', ...WORKERS], 3)), topics)
  assert.deepEqual(named(await place.in(['topics', 'apply', ...WORKERS])), topics)
  assert.equal(await place.in(['topics', 'check', ...WORKERS]), '')
  assert.doesNotMatch(await place.in(['doctor', ...WORKERS]), /FAILURE|skipped/)
}

async function runOnce(place: Place): Promise<void> {
  const output = join(place.folder, 'run.csv')
  await place.does(['run', place.input, output, '--classifier', CLASSIFIER, ...WORKERS])
  assert.equal(readFileSync(output, 'utf8'), place.expected)
}

async function publishAndCollect(place: Place): Promise<void> {
  const output = join(place.folder, 'collected.csv')
  const job = ['--job', (await place.in(['publish', place.input, '--job', 'file'])).trim()]
  await place.in(['collect', output, ...job])
  assert.equal(readFileSync(output, 'utf8'), place.expected)
  assert.equal(await place.in(['tail', ...job]), place.expected)
  await place.in(['verify', output, ...job])
  assert.equal(await place.in(['rejects', 'list', ...job]), '')
}

/** Rows of a program: each has a number. */
async function sendEvents(place: Place): Promise<void> {
  const { kafka, pipeline } = place
  const events = await openJob({ kafka, pipeline, id: 'events', columns: COLUMNS })
  await Promise.all(rowsBelow(EVENTS).map(row => events.send(row)))
  await events.end()
  await events.close()
  assert.equal(await place.results('events', EVENTS), place.first(EVENTS))
}

/** Rows of a program that does not know rowmill, as JSON. */
async function produceElsewhere(place: Place): Promise<void> {
  const properties = librdkafkaProperties(place.settings)
  if (properties === null) return place.t.diagnostic('librdkafka has no such login: nothing was produced with it')
  await place.in(['jobs', 'open', '--job', 'elsewhere', '--columns', COLUMNS.join()])
  const messages = rowsBelow(EVENTS).map(values => JSON.stringify({ job: 'elsewhere', values }))
  await produceWithLibrdkafka(properties, place.topics.rows, messages)
  assert.equal(await place.results('elsewhere', EVENTS), place.first(EVENTS))
  await place.in(['jobs', 'cancel', '--job', 'elsewhere'])
}

async function listAndRemove(place: Place): Promise<void> {
  const listed = async () => {
    const lines = (await place.in(['jobs', 'list', '-o', 'json'])).split('\n').filter(line => line !== '')
    return lines.map(line => JSON.parse(line)).map(({ job, state }) => `${job}: ${state}`)
  }
  const before = await listed()
  assert.ok(before.includes('file: ended') && before.includes('events: ended'), before.join())
  await place.in(['jobs', 'rm', 'file', 'events'])
  assert.deepEqual(
    await listed(),
    before.filter(job => !/^(file|events):/.test(job)),
  )
}
