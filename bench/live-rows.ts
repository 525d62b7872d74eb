import { setTimeout as sleep } from 'node:timers/promises'
import { encodeRows } from '../src/codec.ts'
import { appendJob } from '../src/jobs.ts'
import { Kafka } from '../src/kafka.ts'
import type { Job } from '../src/model.ts'
import { PartitionSender } from '../src/partition-sender.ts'
import { placeOf, seqOf } from '../src/sequence.ts'
import { topicsOf } from '../src/topics.ts'
import { ResultsFeed } from './recovery.ts'

const COLUMNS = ['SKU', 'TEXT']
const EVERY_MS = 50
const silent = () => {}

/** One job of live events: a row at a time, and how long each takes from its sender to its result in `results`. */
export class LiveRows {
  readonly #job: Job
  readonly #sender: PartitionSender
  readonly #results: ResultsFeed
  readonly #sentAt: number[] = []
  readonly #latencies: number[] = []
  readonly #stop = new AbortController()
  readonly #sending: Promise<void>
  readonly #reading: Promise<void>

  private constructor(job: Job, parts: { sender: PartitionSender; results: ResultsFeed }) {
    this.#job = job
    this.#sender = parts.sender
    this.#results = parts.results
    this.#reading = this.#read()
    this.#sending = this.#send()
  }

  /** Begins to send, a row every 50 ms. */
  static async start(broker: string, pipeline: string, id: string): Promise<LiveRows> {
    const kafka = new Kafka({ brokers: [broker], clientId: 'bench' })
    const { rows: topic, results } = topicsOf(pipeline)
    const admin = await kafka.admin()
    const partitions = (await admin.partitions([topic])).get(topic)!
    await admin.close()
    const reader = await kafka.reader([topic, results])
    const [rowsFrom, resultsFrom] = [await reader.ends(topic, partitions), await reader.ends(results, partitions)]
    await reader.close()
    const job: Job = {
      ...{ id, epoch: 0, attempt: 0, state: 'open', reason: null, columns: COLUMNS, sequenced: true, bounded: false },
      ...{ partitions, blockRows: 1, topic, from: 0, total: null, rowsFrom, resultsFrom, source: null },
      ...{ indexKind: 'text', options: [], at: Date.now(), by: 'bench' },
    }
    const sender = new PartitionSender(await kafka.producer(), silent)
    await appendJob(sender, pipeline, job)
    return new LiveRows(job, { sender, results: await ResultsFeed.open(broker, results) })
  }

  /** Sends no more; resolves with the milliseconds of every row, once each has its result. */
  async stop(): Promise<number[]> {
    this.#stop.abort()
    await this.#sending
    await this.#reading
    await Promise.all([this.#sender.close(), this.#results.close()])
    return this.#latencies
  }

  async #send(): Promise<void> {
    const { id, topic } = this.#job
    for (let last = false; !last; ) {
      last = this.#stop.signal.aborted // one comes behind it, so that its result tells that all are there
      const seq = this.#sentAt.length
      const rows = {
        job: id,
        epoch: 0,
        from: 0,
        seq,
        count: 1,
        line: null,
        lineSteps: null,
        rows: [[`${seq}`, 'shoe']],
      }
      const { partition } = placeOf(seq, this.#job)
      this.#sentAt.push(performance.now())
      void this.#sender.send({ topic, partition }, { key: id, value: encodeRows(rows) })
      if (!last) await sleep(EVERY_MS, undefined, { signal: this.#stop.signal }).catch(silent)
    }
  }

  #read(): Promise<void> {
    return this.#results.until((partition, { job, first, count }) => {
      for (let position = first; job === this.#job.id && position < first + count; position++) {
        this.#latencies.push(performance.now() - this.#sentAt[seqOf({ partition, position }, this.#job)]!)
      }
      return this.#stop.signal.aborted && this.#latencies.length === this.#sentAt.length
    })
  }
}
