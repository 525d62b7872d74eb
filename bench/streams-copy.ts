import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, type Reader } from '../src/kafka/index.ts'
import { PartitionSender } from '../src/kafka/partition-sender.ts'
import type { Runner } from './bench.ts'
import { partOf } from './contenders.ts'
import { compilePassThrough, endOf, spawnPassThrough } from './latency/kafka-streams.ts'
import type { Cost } from './measure.ts'
import { ProcessTree } from './process-tree.ts'

export const STREAMS = 'Kafka Streams topic to topic'
const PARTITIONS = 8
const THREADS = 2
const LOOK_EVERY_MS = 20
/** Bytes under way while the topic is filled. */
const UNDER_WAY = 8_000_000

export interface CopyOptions {
  readonly broker: string
  /** A file of rows. */
  readonly input: string
  /** For the classes and the state. */
  readonly folder: string
  readonly say: (text: string) => void
}

/** A Kafka Streams application that copies a topic of rows, one message a row. */
export class StreamsCopy implements Runner {
  readonly name = STREAMS
  readonly #kafka: Kafka
  readonly #broker: string
  readonly #folder: string
  readonly #command: readonly string[]
  readonly #into: string
  #copies = 0

  private constructor(kafka: Kafka, { broker, folder }: CopyOptions, of: { command: readonly string[]; into: string }) {
    this.#kafka = kafka
    this.#broker = broker
    this.#folder = folder
    this.#command = of.command
    this.#into = of.into
  }

  /** Compiles it, and fills a topic with the rows of a file. None of this is measured. */
  static async open(options: CopyOptions): Promise<StreamsCopy> {
    const { broker, input, folder, say } = options
    const kafka = new Kafka({ brokers: [broker], clientId: 'bench' })
    const command = await compilePassThrough(folder, say)
    const into = `streams-${performance.now().toFixed(0)}`
    await makeTopic(kafka, into)
    say('filling the topic that Kafka Streams reads')
    await fill(kafka, into, input)
    return new StreamsCopy(kafka, options, { command, into })
  }

  /** From the start of the JVM until the last row is acknowledged in the other topic. Throws if a partition differs in length. */
  async run(): Promise<Cost> {
    const from = `${this.#into}.copy-${++this.#copies}`
    await makeTopic(this.#kafka, from)
    const reader = await this.#kafka.reader([this.#into, from])
    try {
      const wanted = await reader.ends(this.#into, PARTITIONS)
      const tree = new ProcessTree(process.pid, partOf)
      const began = performance.now()
      const topics = { broker: this.#broker, into: this.#into, from }
      const child = spawnPassThrough(this.#command, { ...topics, threads: THREADS, folder: this.#folder })
      child.stdout?.resume()
      const end = endOf(child)
      const early = end.then(() => Promise.reject(new Error('PassThrough.java ended before it had copied every row')))
      await Promise.race([early, untilThere(reader, from, wanted)])
      early.catch(() => {})
      const seconds = (performance.now() - began) / 1000
      const usage = tree.stop()
      child.stdin?.end()
      await end
      return { seconds, usage }
    } finally {
      await reader.close()
      await this.#delete(from)
    }
  }

  close(): Promise<void> {
    return this.#delete(this.#into)
  }

  async #delete(topic: string): Promise<void> {
    const admin = await this.#kafka.admin()
    await admin.deleteTopics([topic])
    await admin.close()
  }
}

async function untilThere(reader: Reader, topic: string, wanted: readonly number[]): Promise<void> {
  for (;;) {
    const ends = await reader.ends(topic, PARTITIONS)
    const more = ends.findIndex((end, partition) => end > wanted[partition]!)
    if (more >= 0) throw new Error(`partition ${more} of ${topic} has ${ends[more]} messages, not ${wanted[more]}`)
    if (ends.every((end, partition) => end === wanted[partition])) return
    await sleep(LOOK_EVERY_MS)
  }
}

async function makeTopic(kafka: Kafka, topic: string): Promise<void> {
  const admin = await kafka.admin()
  await admin.createTopics([{ topic, partitions: PARTITIONS, replicationFactor: 1, config: {} }])
  await admin.close()
}

async function fill(kafka: Kafka, topic: string, input: string): Promise<void> {
  const sender = new PartitionSender(await kafka.producer(), () => {})
  let count = -1 // of the rows; the first line is the header
  let failure: unknown = null
  for await (const line of createInterface({ input: createReadStream(input) })) {
    if (count >= 0) {
      const partition = count % PARTITIONS
      const message = { key: String(partition), value: Buffer.from(line) }
      sender.send({ topic, partition }, message).catch(error => {
        failure ??= error
      })
      if (sender.bytes >= UNDER_WAY) await sender.room(UNDER_WAY)
    }
    if (failure) throw failure
    count++
  }
  await sender.room(1)
  await sender.close()
}
