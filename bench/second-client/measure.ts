/**
 * Measures reading and writing through the clients, one after the other, in the order A B C C B A. Prints medians, and the
 * ratios to KafkaJS within each round. npm run measure -- [--rounds 10]
 */
import { randomBytes } from 'node:crypto'
import { availableParallelism, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { startLocalBroker } from '../../src/broker/local-broker.ts'
import { Kafka, type KafkaAdmin } from '../../src/kafka/index.ts'
import { median } from '../report.ts'
import { CLIENTS, ClientProcess, ONLY } from './clients.ts'
import { SHAPES, type Shape, type Taken } from './shapes.ts'

const WARM_UP_ROUNDS = 2

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '10' } } })
const rounds = Number(values.rounds)
const load = () => loadavg()[0]!.toFixed(2)

const before = load()
const broker = await startLocalBroker({})
const clients = Object.keys(CLIENTS).map(name => new ClientProcess(name, broker.address))
const admin = await new Kafka({ brokers: [broker.address], clientId: 'measure' }).admin()
try {
  const lines: string[] = []
  for (const shape of SHAPES) lines.push(...(await compare(shape)))
  console.log(
    `${rounds} rounds, ${availableParallelism()} cores, Node ${process.versions.node}; load ${before} before, ${load()} after\n`,
  )
  console.log('| | client | CPU ms | ratio | wall ms | ratio | p50 ms | p99 ms |\n|---|---|---|---|---|---|---|---|')
  console.log(lines.join('\n'))
  for (const { name, peakBytes } of clients) console.log(`peak memory of ${name}: ${Math.round(peakBytes / 1e6)} MB`)
} finally {
  for (const client of clients) client.close()
  await admin.close()
  await broker.close()
}

/** One line of the table for each client. */
async function compare(shape: Shape): Promise<string[]> {
  const mine = clients.filter(({ name }) => (ONLY[name] ?? shape.does) === shape.does)
  const taken = new Map<ClientProcess, Taken[]>(mine.map(client => [client, []]))
  const filled = shape.does === 'fetch' ? await newTopic(admin) : null
  if (filled) await clients[0]!.run({ shape: { ...shape, does: 'send' }, topic: filled })
  for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
    for (const client of round % 2 ? mine.toReversed() : mine) {
      const topic = filled ?? (await newTopic(admin))
      const run = await client.run({ shape, topic })
      if (round >= 0) taken.get(client)!.push(run)
      if (!filled) await admin.deleteTopics([topic])
    }
  }
  if (filled) await admin.deleteTopics([filled])
  const first = taken.get(mine[0]!)!
  return mine.map(client => describe(shape.name, client.name, taken.get(client)!, first))
}

function describe(shape: string, client: string, runs: readonly Taken[], first: readonly Taken[]): string {
  const of = (value: (run: Taken) => number) => median(runs.map(value))
  const ratio = (value: (run: Taken) => number) => {
    if (runs === first) return '1'
    const ratios = runs.map((run, i) => value(run) / value(first[i]!)).sort((a, b) => a - b)
    return `${median(ratios).toFixed(2)} (${ratios[0]!.toFixed(2)} to ${ratios.at(-1)!.toFixed(2)})`
  }
  const [cpu, wall] = [(run: Taken) => run.cpuMs, (run: Taken) => run.wallMs]
  const [p50, p99] = [of(run => run.p50Ms), of(run => run.p99Ms)].map(ms => ms.toFixed(2))
  return `| ${shape} | ${client} | ${of(cpu).toFixed(0)} | ${ratio(cpu)} | ${of(wall).toFixed(0)} | ${ratio(wall)} | ${p50} | ${p99} |`
}

async function newTopic(admin: KafkaAdmin): Promise<string> {
  const topic = `measure-${randomBytes(6).toString('hex')}`
  await admin.createTopics([{ topic, partitions: 1, replicationFactor: 1, config: {} }])
  while ((await admin.partitions([topic])).size === 0); // the broker needs a moment to know it
  return topic
}
