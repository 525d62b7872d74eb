import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { Kafka, type KafkaAdmin } from '../../src/kafka/index.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import { openCopiedFlow } from './copied-flow.ts'
import type { Flow } from './flow.ts'
import { openJobFlow } from './job-flow.ts'
import { startKafkaStreams } from './kafka-streams.ts'
import { Workers } from './workers.ts'

const BENCH = join(import.meta.dirname, '..')

/** Something that runs between the topic where rows enter and the topic where they come out. */
export interface Contender {
  readonly name: string
  /** How it is set up, one line each. */
  readonly configuration: readonly string[]
  /** A separate stretch of rows. */
  open(): Promise<Flow>
  close(): Promise<void>
}

export interface Place {
  readonly broker: string
  readonly partitions: number
  readonly workers: number
  readonly python: string
  readonly folder: string
  readonly say: (text: string) => void
}

export const TYPESCRIPT = join(BENCH, 'pass.ts')
export const PANDAS_PASS = join(BENCH, 'latency/pass.py')
export const BLACK_BOX = join(BENCH, '../examples/black_box.py')

/** Nothing in between: the time that producer, broker and reader add to every contender. */
export async function startDirect({ broker, partitions }: Place): Promise<Contender> {
  const into = await makeTopics(broker, 'latency-direct', partitions)
  return {
    name: 'nothing between',
    configuration: [],
    open: () => openCopiedFlow({ broker, partitions, into: into.rows, from: into.rows }),
    close: async () => {},
  }
}

export async function startStreams({ broker, partitions, workers, folder, say }: Place): Promise<Contender> {
  const { rows: into, results: from } = await makeTopics(broker, 'latency-streams', partitions)
  const own = await mkdtemp(join(folder, 'streams-'))
  const streams = await startKafkaStreams({ broker, into, from, threads: workers, folder: own, say })
  return {
    name: 'Kafka Streams',
    configuration: streams.configuration,
    open: () => openCopiedFlow({ broker, partitions, into, from }),
    close: () => streams.close(),
  }
}

let pipelines = 0

export async function startRowmill(
  { broker, partitions, workers, python }: Place,
  { name, classifier }: { name: string; classifier: string },
): Promise<Contender & { readonly pipeline: string }> {
  const pipeline = `latency-${++pipelines}`
  await makeTopics(broker, pipeline, partitions)
  const working = new Workers({ broker, pipeline, classifier, workers, python })
  let jobs = 0
  return {
    name,
    pipeline,
    configuration: [`rowmill work --workers ${workers}, every other option at its default`],
    open: () => openJobFlow({ broker, pipeline, job: `job-${++jobs}` }),
    close: () => working.leave(),
  }
}

async function makeTopics(broker: string, pipeline: string, partitions: number) {
  const admin = await openAdmin(broker)
  await ensureTopics(admin, pipeline, partitions)
  await admin.close()
  return topicsOf(pipeline)
}

export function openAdmin(broker: string): Promise<KafkaAdmin> {
  return new Kafka({ brokers: [broker], clientId: 'bench' }).admin()
}
