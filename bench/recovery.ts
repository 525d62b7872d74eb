import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, type Reader } from '../src/kafka/index.ts'
import { PartitionFeed } from '../src/kafka/partition-feed.ts'
import type { PartitionQueue } from '../src/kafka/partition-queue.ts'
import type { Result } from '../src/model.ts'
import { topicsOf } from '../src/pipeline/topic-names.ts'
import { decode } from '../src/wire/codec.ts'
import { descendants } from '../test/helpers/processes.ts'
import { BLACK_BOX, ROOT } from './contenders.ts'

const LOOK_EVERY_MS = 50
const RESULTS_BEFORE = 20

export interface RecoveryOptions {
  readonly python: string
  readonly broker: string
  /** A file with far more rows than are classified while a worker is missing. */
  readonly input: string
  /** What `run` writes. */
  readonly output: string
  /** The pipeline of `work`. `run` makes one of its own. */
  readonly pipeline: string
}

/**
 * Seconds from the kill -9 of one of two workers, in the middle of a job, to the first result in one of its partitions.
 * All options have their defaults. `run` completes its job; `work` is told to end.
 */
export async function measureRecovery(way: 'run' | 'work', options: RecoveryOptions): Promise<number> {
  return way === 'run' ? ofRun(options) : ofWork(options)
}

async function ofRun({ python, broker, input, output }: RecoveryOptions): Promise<number> {
  const working = start(['run', input, output, '--force', ...classifying(python), '--brokers', broker, '--quiet'])
  const end = ended(working)
  const failed = end.then(() => Promise.reject(new Error('the run ended before its worker was killed')))
  const results = await Promise.race([failed, resultsOfRun(broker, output)])
  try {
    return await Promise.race([failed, killed(working, results)])
  } finally {
    failed.catch(() => {})
    await Promise.all([end, results.close()])
  }
}

async function ofWork({ python, broker, input, pipeline }: RecoveryOptions): Promise<number> {
  const shared = ['--brokers', broker, '--pipeline', pipeline, '--quiet']
  await ended(start(['publish', input, '--job', 'j', '--python', python, ...shared]))
  const results = await ResultsFeed.open(broker, topicsOf(pipeline).results)
  const working = start(['work', ...classifying(python), ...shared])
  try {
    return await killed(working, results)
  } finally {
    working.kill('SIGTERM')
    await Promise.all([ended(working), results.close()])
  }
}

function classifying(python: string): string[] {
  return ['--classifier', BLACK_BOX, '--workers', '2', '--python', python]
}

/** Kills the worker of one partition. Resolves with the seconds until one of its partitions has another result. */
async function killed(working: ChildProcess, results: ResultsFeed): Promise<number> {
  const holders = new Map<number, string>()
  let count = 0
  await results.until((partition, { by }) => {
    holders.set(partition, by)
    return ++count >= RESULTS_BEFORE && new Set(holders.values()).size === 2
  })
  const [victim] = holders.values()
  const killedAt = performance.now()
  process.kill(processOf(working, victim!), 'SIGKILL')
  // A restarted worker has the name of the killed one. What comes from here on is not from the killed one.
  const ends = await results.ends()
  await results.until((partition, _, offset) => holders.get(partition) === victim && offset >= ends[partition]!)
  return (performance.now() - killedAt) / 1000
}

/** The results of a run whose topics have just been made. */
async function resultsOfRun(broker: string, output: string): Promise<ResultsFeed> {
  const admin = await new Kafka({ brokers: [broker], clientId: 'bench' }).admin()
  try {
    for (;;) {
      const saved = await readFile(join(`${output}.rowmill`, 'run.json'), 'utf8').catch(() => null)
      const topic = saved && topicsOf(JSON.parse(saved).pipeline).results
      if (topic && (await admin.partitions([topic])).get(topic)) return await ResultsFeed.open(broker, topic)
      await sleep(LOOK_EVERY_MS)
    }
  } finally {
    await admin.close()
  }
}

/** The results of all partitions as they come. */
export class ResultsFeed {
  readonly #reader: Reader
  readonly #feed: PartitionFeed
  readonly #queues: readonly PartitionQueue[]

  private constructor(reader: Reader, feed: PartitionFeed, queues: readonly PartitionQueue[]) {
    this.#reader = reader
    this.#feed = feed
    this.#queues = queues
  }

  static async open(broker: string, topic: string): Promise<ResultsFeed> {
    const kafka = new Kafka({ brokers: [broker], clientId: 'bench' })
    const admin = await kafka.admin()
    const partitions = (await admin.partitions([topic])).get(topic)!
    await admin.close()
    const feed = await PartitionFeed.open(kafka, [topic], () => {})
    const all = Array.from({ length: partitions }, (_, partition) => ({ topic, partition, offset: 0 }))
    return new ResultsFeed(await kafka.reader([topic]), feed, await feed.assign(all))
  }

  /** The offset after the last result of each partition. */
  ends(): Promise<number[]> {
    return this.#reader.ends(this.#queues[0]!.topic, this.#queues.length)
  }

  /** Resolves at the first result for which `holds`. */
  async until(holds: (partition: number, result: Result, offset: number) => boolean): Promise<void> {
    for (;;) {
      const arrival = this.#feed.arrival()
      for (const queue of this.#queues) {
        for (let message = this.#feed.take(queue); message; message = this.#feed.take(queue)) {
          const record = decode(message.value)
          if (record.kind === 'result' && holds(queue.partition, record.value, message.offset)) return
        }
      }
      await arrival
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#reader.close(), this.#feed.close()])
  }
}

export function start(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [join(ROOT, 'bin/rowmill.js'), ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
}

export async function ended(child: ChildProcess): Promise<void> {
  const code = child.exitCode ?? (await new Promise<number | null>(resolve => child.once('exit', resolve)))
  if (code !== 0) throw new Error(`${child.spawnargs.join(' ')} ended with exit code ${code}`)
}

function processOf({ pid }: ChildProcess, worker: string): number {
  const isIt = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`"${worker}"`)
  const found = descendants(pid!).find(({ pid }) => isIt(pid))
  if (!found) throw new Error(`there is no process of worker ${worker}`)
  return found.pid
}
