import { setTimeout as sleep } from 'node:timers/promises'
import { RowmillError } from '../../src/errors.ts'
import { noPartition } from '../../src/kafka/errors.ts'
import type { FetchLimits } from '../../src/kafka/fetch.ts'
import type { Fetched, PartitionOffset, Reader, TopicPartition } from '../../src/kafka/index.ts'
import type { FakeKafka, Public } from './kafka.ts'

/** How long a fetch waits for a first message: a test does not wait as long as a broker would. */
const EMPTY_FETCH_MS = 1

export class FakeReader implements Public<Reader> {
  readonly #client: FakeKafka
  /** Metadata comes for these alone. */
  readonly #topics: readonly string[]
  readonly #stableEnds: boolean
  /** The leaders of partitions, as this client knows them. */
  readonly #leaders = new Map<string, number>()
  #closed = false

  constructor(client: FakeKafka, topics: readonly string[], stableEnds: boolean) {
    this.#client = client
    this.#topics = topics
    this.#stableEnds = stableEnds
    const missing = topics.find(topic => !client.cluster.topics.has(topic))
    if (missing !== undefined) throw unusable({ topic: missing, partition: 0 })
  }

  get patience() {
    return this.#client.patience
  }

  get metadataMaxAgeMs(): number {
    return this.#client.settings.limits?.metadataMaxAgeMs ?? 60_000
  }

  leaderless() {
    return [] // each partition has a leader here
  }

  async leaders<T extends TopicPartition>(wanted: readonly T[], refresh: boolean): Promise<Map<string, T[]>> {
    this.#check()
    for (const at of wanted) {
      const key = `${at.topic}/${at.partition}`
      const log = this.#client.cluster.log(at)
      if (!log) throw unusable(at)
      if (refresh || !this.#leaders.has(key)) this.#leaders.set(key, log.leader)
    }
    return Map.groupBy(wanted, ({ topic, partition }) => String(this.#leaders.get(`${topic}/${partition}`)))
  }

  async fetch(node: string, offsets: readonly PartitionOffset[], limits: FetchLimits): Promise<Fetched[]> {
    this.#check()
    await this.#client.cluster.onFetch(offsets)
    this.#check()
    const fetched = this.#fetchNow(node, offsets, limits)
    if (fetched.some(({ messages, next, offset, error }) => messages.length > 0 || next > offset || error))
      return fetched
    await sleep(EMPTY_FETCH_MS)
    this.#check()
    return this.#fetchNow(node, offsets, limits)
  }

  /** Nothing is compressed here. */
  async codecs(_: string, offsets: readonly PartitionOffset[]): Promise<Set<number>> {
    return new Set(offsets.length > 0 ? [0] : [])
  }

  async timestamps(node: string, offsets: readonly PartitionOffset[]): Promise<(number | null)[]> {
    this.#check()
    await this.#client.cluster.onFetch(offsets)
    return offsets.map(at => {
      const log = this.#client.cluster.log(at)
      return log && String(log.leader) === node ? log.timestampAt(at.offset) : null
    })
  }

  async offsets(wanted: readonly TopicPartition[], which: 'start' | 'end'): Promise<PartitionOffset[]> {
    this.#check()
    await this.#client.cluster.onOffsets()
    return wanted.map(({ topic, partition }) => {
      const log = this.#client.cluster.log({ topic, partition })
      if (!log) throw unusable({ topic, partition })
      const end = this.#stableEnds ? log.stableEnd : log.end
      return { topic, partition, offset: which === 'start' ? log.start : end }
    })
  }

  async ends(topic: string, count: number): Promise<number[]> {
    const partitions = Array.from({ length: count }, (_, partition) => ({ topic, partition }))
    return (await this.offsets(partitions, 'end')).map(({ offset }) => offset)
  }

  partitions(topic: string): number {
    if (!this.#topics.includes(topic)) return 0
    return this.#client.cluster.partitions(topic).length
  }

  async partitionsNow(topic: string): Promise<number> {
    this.#check()
    return this.partitions(topic)
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  #fetchNow(node: string, offsets: readonly PartitionOffset[], limits: FetchLimits): Fetched[] {
    const { maxBytes, maxPartitionBytes } = limits
    let left = maxBytes
    return offsets.map(({ topic, partition, offset }) => {
      const nothing = {
        topic,
        partition,
        offset,
        messages: [],
        next: offset,
        empty: true,
        preferredNode: null,
        tooLarge: false,
        error: null,
      }
      const log = this.#client.cluster.log({ topic, partition })
      const { stableEnd: end = -1, end: logEnd = -1 } = log ?? {}
      const failed = (error: Error, outOfRange: boolean) => ({ ...nothing, end, logEnd, error, outOfRange })
      if (!log) return failed(noPartition({ topic, partition }), false)
      if (String(log.leader) !== node) return failed(notLeader(), false)
      if (log.fault) return failed(log.fault, false)
      if (offset < log.start || offset > logEnd) return failed(outOfRange(), true)
      const { messages, next, bytes, tooLarge } = log.read(offset, {
        ...limits,
        maxBytes: Math.min(left, maxPartitionBytes),
        atLeastOne: left === maxBytes,
      })
      left -= bytes
      const { format, headers: wanted = [] } = this.#client.settings
      const formatted = messages.map(({ headers: all = {}, ...message }) => {
        const headers = Object.fromEntries(Object.entries(all).filter(([name]) => wanted.includes(name)))
        const value = format && message.value ? format.read(message.value) : message.value
        return { ...message, value, ...(Object.keys(headers).length > 0 && { headers }) }
      })
      return { ...nothing, messages: formatted, next, empty: bytes === 0, tooLarge, end, logEnd, outOfRange: false }
    })
  }

  #check(): void {
    this.#client.check()
    if (this.#closed) throw new Error('the connection was closed')
  }
}

function unusable(at: TopicPartition): RowmillError {
  return new RowmillError('TOPIC_UNUSABLE', noPartition(at).message, { topic: at.topic, partition: at.partition })
}

function notLeader(): Error {
  return Object.assign(new Error('This server is not the leader for that topic-partition'), {
    type: 'NOT_LEADER_FOR_PARTITION',
    retriable: true,
  })
}

function outOfRange(): Error {
  return Object.assign(new Error('The requested offset is not within the range of offsets'), {
    type: 'OFFSET_OUT_OF_RANGE',
  })
}
