/** Confluent wire format against a real schema registry: downloaded once (about 15 s), started in about 4 s. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import type { Kafka, Message } from '../../src/kafka/index.ts'
import { PartitionFeed } from '../../src/kafka/partition-feed.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { decode } from '../../src/wire/codec.ts'
import { type RegistryIds, registerRecords, SUBJECTS } from '../../src/wire/confluent.ts'
import { schemaOf } from '../../src/wire/formats.ts'
import type { WireRecord } from '../../src/wire/record.ts'
import { brokerAddress, testKafka, testPipeline } from '../helpers/broker.ts'
import { type Finished, rowmill, testFolder } from '../helpers/cli.ts'
import { lockedRegistry, startRegistry, type TestRegistry } from '../helpers/registry.ts'

const EXAMPLES = join(import.meta.dirname, '../../examples')
const ROWS = 250
/** Installed by scripts/prepare-machine.ts. A variable, because a clone without it is checked too. */
const CLIENT = '@kafkajs/confluent-schema-registry'
const { SchemaRegistry, SchemaType } = await import(CLIENT)
const INPUT = `ID,A,B\n${Array.from({ length: ROWS }, (_, i) => `${i},${i % 7},"quoted, ä ${i}"\n`).join('')}`
const PARTITIONS = 2

let registry: TestRegistry
let ids: RegistryIds
before(async () => {
  registry = await startRegistry()
})
after(() => registry?.close())

test('several that start at once on an empty registry get the same ids, each schema under its full name', async () => {
  const all = await Promise.all(Array.from({ length: 6 }, () => registerRecords(registry.url)))
  ids = all[0]!
  for (const others of all) assert.deepEqual(others, ids)
  assert.equal(new Set(Object.values(ids)).size, 6)
  const subjects = (await (await fetch(`${registry.url}/subjects`)).json()) as string[]
  assert.deepEqual(subjects.sort(), Object.values(SUBJECTS).sort())
})

for (const file of ['black-box.ts', 'black_box.py']) {
  test(`run of ${file} with --schema-registry writes the same bytes, and only Confluent messages`, async t => {
    const place = await Place.open(t)
    const classifier = join(EXAMPLES, file)
    const run = (out: string, more: readonly string[]) =>
      place.rowmill('run', place.input, place.file(out), '--classifier', classifier, '--workers', '2', ...more)
    const kept = ['--pipeline', place.pipeline, '--partitions', String(PARTITIONS), '--batch-rows', '20']
    succeeded(await run('with.csv', [...kept, '--schema-registry', registry.url]))
    succeeded(await run('without.csv', []))
    const [withRegistry, without] = ['with.csv', 'without.csv'].map(name => readFileSync(place.file(name), 'utf8'))
    assert.equal(withRegistry, without)
    assert.equal(withRegistry!.split('\n').length, ROWS + 1)

    const found = await place.messages()
    const idsIn = (topic: 'jobs' | 'rows' | 'results') =>
      [...new Set(found[topic].map(({ value }) => [value![0], value!.readUInt32BE(1)].join()))].sort()
    assert.deepEqual(idsIn('jobs'), [`0,${ids.job}`])
    assert.deepEqual(idsIn('rows'), [`0,${ids.rows}`, `0,${ids.end}`].sort())
    assert.deepEqual(idsIn('results'), [`0,${ids.result}`, `0,${ids.end}`].sort())
    assert.ok(found.results.length >= ROWS / 20)

    const foreign = new SchemaRegistry({ host: registry.url })
    const decoded: { rows: unknown }[] = await Promise.all(found.results.map(({ value }) => foreign.decode(value!)))
    // an end of input counts them
    const cells: string[][] = decoded.flatMap(({ rows }) => (Array.isArray(rows) ? rows : []))
    const lines = readFileSync(place.file('with.csv'), 'utf8').trimEnd().split('\n')
    const classified = new Set(cells.map(([id]) => Number(id))) // there are copies if a worker joined late
    assert.deepEqual(
      [...classified].sort((a, b) => a - b),
      [...Array(ROWS).keys()],
    )
    for (const [id, , , score] of cells) assert.ok(lines[Number(id)]!.endsWith(`,${score}`), `${id} ${score}`)
  })
}

test('without the option each part ends with a cure and takes nothing from the others', async t => {
  const place = await Place.open(t)
  const confluent = ['--schema-registry', registry.url]
  const job = succeeded(await place.part('publish', place.input, ...confluent)).trim()
  const out = place.file('out.csv')
  const serve = ['work', '--classifier', join(EXAMPLES, 'black-box.ts'), '--workers', '2']
  const work = [...serve, '--until-done', job]
  for (const args of [serve, work, ['collect', out, '--job', job], ['verify', place.input, '--job', job]]) {
    const { code, stderr } = await place.part(...args)
    assert.equal(code, 6, stderr)
    const where = `job ${job}, ${place.pipeline}\\.jobs\\[0\\]@0`
    assert.match(stderr, new RegExp(`${where}: .*schema id ${ids.job} .*Give --schema-registry URL.*ROW_MALFORMED`))
  }
  succeeded(await place.part(...work, ...confluent))
  succeeded(await place.part('collect', out, '--job', job, ...confluent))
  assert.match(succeeded(await place.part('verify', out, '--job', job, ...confluent)), /same\n$/)
  assert.deepEqual((await place.messages()).rejects, [])
})

test('with the option readers also take single-object messages; a collector without it fails no job', async t => {
  const place = await Place.open(t)
  const confluent = ['--schema-registry', registry.url]
  const job = succeeded(await place.part('publish', place.input)).trim()
  const work = ['work', '--classifier', join(EXAMPLES, 'black-box.ts'), '--workers', '1', '--until-done', job]
  succeeded(await place.part(...work, ...confluent))
  const { jobs, rows, results } = await place.messages()
  const firstBytes = (messages: readonly Message[]) => [...new Set(messages.map(({ value }) => value![0]))]
  assert.deepEqual([jobs, rows, results].map(firstBytes), [[0xc3], [0xc3], [0]])
  const out = place.file('out.csv')
  const refused = await place.part('collect', out, '--job', job)
  assert.equal(refused.code, 6)
  assert.match(refused.stderr, /results\[0\]@0: .*Give --schema-registry URL/)
  const again = await place.part(...work)
  assert.equal(again.code, 6, 'it would wait for ends of input that it cannot read')
  succeeded(await place.part('collect', out, '--job', job, ...confluent))
  assert.match(succeeded(await place.part('verify', out, '--job', job, ...confluent)), /same\n$/)
})

test('messages with foreign schema ids go to the rejects, and the work continues', async t => {
  const place = await Place.open(t)
  succeeded(await place.part('publish', place.input))
  const producer = await place.kafka.producer()
  t.after(() => producer.close())
  const value = Buffer.from('00000f4240aabb', 'hex')
  for (const topic of ['jobs', 'rows'] as const) {
    const to = { topic: topicsOf(place.pipeline)[topic], partition: 0 }
    await producer.send(to, [{ key: `foreign ${topic}`, value }])
  }
  const last = succeeded(await place.part('publish', place.input)).trim()
  const work = ['work', '--classifier', join(EXAMPLES, 'black-box.ts'), '--workers', '1', '--until-done', last]
  for (const confluent of [[], ['--schema-registry', registry.url]]) succeeded(await place.part(...work, ...confluent))
  const { rejects } = await place.messages()
  assert.equal(rejects.length, 1)
  const { value: reject } = decode(rejects[0]!.value) as Extract<WireRecord, { kind: 'reject' }>
  assert.deepEqual(Buffer.from(reject.raw!), value)
  assert.match(reject.detail, /schema id 1000000 /)
})

test('an identical schema that others register gets the same id', async () => {
  const foreign = new SchemaRegistry({ host: registry.url })
  const schema = { type: SchemaType.AVRO, schema: JSON.stringify(schemaOf('rows')) } as const
  const { id } = await foreign.register(schema, { subject: 'other.rows-value' })
  assert.equal(id, ids.rows)
})

test('a missing or silent registry ends a command with 3 and one clear line', async t => {
  const folder = testFolder(t)
  const input = join(folder, 'in.csv')
  writeFileSync(input, INPUT)
  const run = ['run', input, join(folder, 'out.csv'), '--classifier', join(EXAMPLES, 'black-box.ts')]
  const cases: [string, RegExp][] = [
    ['http://127.0.0.1:1', /no schema registry at http:\/\/127\.0\.0\.1:1 .*ECONNREFUSED/],
    [registry.url.replace('ccompat', 'nowhere'), /serves \/subjects below/],
  ]
  for (const [url, message] of cases) {
    const { code, stderr } = await rowmill([...run, '--schema-registry', url, '--brokers', await brokerAddress()])
    assert.equal(code, 3, stderr)
    assert.match(stderr, message)
    assert.match(stderr, /\[REGISTRY_UNREACHABLE\]$/m)
  }
})

test('user and password of the URL go to the registry', async t => {
  const door = await lockedRegistry(t, registry, 'me:p@ss/word')
  const url = (user: string) => door.replace('//', `//${user}`)
  assert.deepEqual(await registerRecords(url('me:p%40ss%2Fword@')), ids)
  const refusal = { code: 'REGISTRY_UNREACHABLE', message: /who are you\?.*USER:PASSWORD@HOST/ }
  await assert.rejects(registerRecords(url('')), refusal)
})

/** A pipeline of one test with its own topics, and a folder. */
class Place {
  readonly kafka: Kafka
  readonly pipeline: string
  readonly input: string
  readonly #folder: string

  constructor(kafka: Kafka, pipeline: string, folder: string) {
    this.kafka = kafka
    this.pipeline = pipeline
    this.#folder = folder
    this.input = this.file('in.csv')
    writeFileSync(this.input, INPUT)
  }

  static async open(t: TestContext): Promise<Place> {
    const { pipeline } = await testPipeline(t)
    return new Place(await testKafka(), pipeline, testFolder(t))
  }

  file(name: string): string {
    return join(this.#folder, name)
  }

  async rowmill(...args: readonly string[]): Promise<Finished> {
    return rowmill(args, { env: { ROWMILL_BROKERS: await brokerAddress() } })
  }

  part(...args: readonly string[]): Promise<Finished> {
    const partitions = args[0] === 'publish' ? ['--partitions', String(PARTITIONS)] : []
    return this.rowmill(...args, ...partitions, '--pipeline', this.pipeline, '--timeout', '60')
  }

  /** Every message as it is in the topics, by topic. */
  async messages(): Promise<Record<'jobs' | 'rows' | 'results' | 'rejects', Message[]>> {
    const { jobs, rows, results, rejects } = topicsOf(this.pipeline)
    const [inJobs, inRows, inResults, inRejects] = await Promise.all([
      this.#read(jobs, 1),
      this.#read(rows, PARTITIONS),
      this.#read(results, PARTITIONS),
      this.#read(rejects, 1),
    ])
    return { jobs: inJobs, rows: inRows, results: inResults, rejects: inRejects }
  }

  async #read(topic: string, partitions: number): Promise<Message[]> {
    const feed = await PartitionFeed.open(this.kafka, [topic], () => {})
    try {
      const from = Array.from({ length: partitions }, (_, partition) => ({ topic, partition, offset: 0 }))
      const messages: Message[] = []
      for (const queue of await feed.assign(from)) {
        while (!queue.drained) {
          const message = feed.take(queue)
          if (message) messages.push(message)
          else await feed.arrival()
        }
      }
      return messages
    } finally {
      await feed.close()
    }
  }
}

function succeeded({ code, stdout, stderr }: Finished): string {
  assert.equal(code, 0, stderr)
  return stdout
}
