import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka } from '../src/kafka/index.ts'
import { PartitionFeed } from '../src/kafka/partition-feed.ts'
import type { PartitionQueue } from '../src/kafka/partition-queue.ts'
import type { Result } from '../src/model.ts'
import { topicsOf } from '../src/pipeline/topic-names.ts'
import { decode } from '../src/wire/codec.ts'
import { descendants } from '../test/helpers/processes.ts'

const ROOT = join(import.meta.dirname, '..')
const RESULTS_BEFORE = 20
/** A restarted worker has the name of the killed one, but cannot have a result so soon. */
const NEW_PROCESS_MS = 1000

export interface RecoveryOptions {
  readonly python: string
  readonly broker: string
  /** A file with far more rows than are classified while a worker is missing. */
  readonly input: string
  readonly pipeline: string
}

/** `run` deals its partitions itself; `work` serves a shared pipeline, with a consumer group. */
export type Killed = 'run' | 'work'

/**
 * Seconds from the kill -9 of one of two workers, in the middle of a job, to the first result in one of its partitions.
 * All options have their defaults.
 */
export async function measureRecovery(killed: Killed, options: RecoveryOptions): Promise<number> {
  const { working, pipeline } = killed === 'run' ? await startRun(options) : await startWork(options)
  const results = await ResultsFeed.open(options.broker, topicsOf(pipeline).results)
  try {
    const holders = new Map<number, string>()
    let count = 0
    await results.until((partition, { by }) => {
      holders.set(partition, by)
      return ++count >= RESULTS_BEFORE && new Set(holders.values()).size === 2
    })
    const [victim] = holders.values()
    const killedAt = performance.now()
    process.kill(processOf(working, victim!), 'SIGKILL')
    const elapsed = () => performance.now() - killedAt
    await results.until((partition, { by }) => {
      return holders.get(partition) === victim && (by !== victim || elapsed() > NEW_PROCESS_MS)
    })
    return elapsed() / 1000
  } finally {
    working.kill(killed === 'run' ? 'SIGKILL' : 'SIGTERM') // a run would drain its results
    await Promise.all([killed === 'run' ? gone(working) : ended(working), results.close()])
  }
}

const CLASSIFIER = ['--classifier', join(ROOT, 'examples/black_box.py'), '--workers', '2']

async function startWork({ python, broker, input, pipeline }: RecoveryOptions) {
  const shared = ['--brokers', broker, '--pipeline', pipeline, '--python', python, '--quiet']
  await ended(start(['publish', input, '--job', 'j', ...shared]))
  return { working: start(['work', ...CLASSIFIER, ...shared]), pipeline }
}

/** Its pipeline is its own, and the folder of its output names it. */
async function startRun({ python, broker, input, pipeline: name }: RecoveryOptions) {
  const output = `${input}-${name}`
  const working = start(['run', input, output, ...CLASSIFIER, '--brokers', broker, '--python', python, '--quiet'])
  for (;;) {
    try {
      const { pipeline } = JSON.parse(readFileSync(`${output}.rowmill/run.json`, 'utf8')) as { pipeline: string }
      if ((await readdir(`${output}.rowmill`)).some(file => file.startsWith('partial-'))) return { working, pipeline }
    } catch {
      // It has not begun.
    }
    await sleep(50) // a folder that does not exist yet sends no event
  }
}

/** The results of all partitions as they come. */
export class ResultsFeed {
  readonly #feed: PartitionFeed
  readonly #queues: readonly PartitionQueue[]

  private constructor(feed: PartitionFeed, queues: readonly PartitionQueue[]) {
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
    return new ResultsFeed(feed, await feed.assign(all))
  }

  /** Resolves at the first result for which `holds`. */
  async until(holds: (partition: number, result: Result) => boolean): Promise<void> {
    for (;;) {
      const arrival = this.#feed.arrival()
      for (const queue of this.#queues) {
        for (let message = this.#feed.take(queue); message; message = this.#feed.take(queue)) {
          const record = decode(message.value)
          if (record.kind === 'result' && holds(queue.partition, record.value)) return
        }
      }
      await arrival
    }
  }

  close(): Promise<void> {
    return this.#feed.close()
  }
}

export function start(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [join(ROOT, 'bin/rowmill.js'), ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
}

export async function ended(child: ChildProcess): Promise<void> {
  const code = child.exitCode ?? (await new Promise<number | null>(resolve => child.once('exit', resolve)))
  if (code !== 0) throw new Error(`${child.spawnargs.join(' ')} ended with exit code ${code}`)
}

async function gone(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await new Promise(resolve => child.once('exit', resolve))
}

function processOf({ pid }: ChildProcess, worker: string): number {
  const isIt = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`"${worker}"`)
  const found = descendants(pid!).find(({ pid }) => isIt(pid))
  if (!found) throw new Error(`there is no process of worker ${worker}`)
  return found.pid
}
