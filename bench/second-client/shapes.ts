import type { Kafka } from '../../src/kafka/index.ts'
import { monotonicMs } from '../../src/support/clock.ts'

/** What a client is asked to do, in one topic with one partition and one request at a time. */
export interface Shape {
  readonly name: string
  readonly does: 'send' | 'fetch'
  readonly valueBytes: number
  readonly messagesPerSend: number
  readonly sends: number
}

const ROWS = { valueBytes: 130, messagesPerSend: 1000, sends: 150 }
const RESULTS = { valueBytes: 64 * 1024, messagesPerSend: 4, sends: 200 }

export const SHAPES: readonly Shape[] = [
  { name: 'send 1,000 messages of 130 B', does: 'send', ...ROWS },
  { name: 'send 4 messages of 64 KB', does: 'send', ...RESULTS },
  { name: 'send 1 message of 130 B', does: 'send', valueBytes: 130, messagesPerSend: 1, sends: 1500 },
  { name: 'fetch messages of 130 B', does: 'fetch', ...ROWS, sends: 600 },
  { name: 'fetch messages of 64 KB', does: 'fetch', ...RESULTS, sends: 400 },
]

/** What one client took for one shape. */
export interface Taken {
  readonly wallMs: number
  readonly cpuMs: number
  /** The median and the 99th percentile of the requests. */
  readonly p50Ms: number
  readonly p99Ms: number
}

/** As a feed of rowmill with one partition fetches. */
const LIMITS = {
  maxWaitMs: 100,
  maxPartitionBytes: 512 * 1024,
  maxBytes: 1024 * 1024,
  keepBytes: 4 * 1024 * 1024,
}

/** Runs a shape. A topic to fetch from must hold the messages already. */
export async function runShape(kafka: Kafka, shape: Shape, topic: string): Promise<Taken> {
  const { request, close } =
    shape.does === 'send' ? await sending(kafka, shape, topic) : await fetching(kafka, shape, topic)
  const times: number[] = []
  const cpu = process.cpuUsage()
  const began = monotonicMs()
  for (let more = true; more; ) {
    const asked = monotonicMs()
    more = await request()
    times.push(monotonicMs() - asked)
  }
  const wallMs = monotonicMs() - began
  const { user, system } = process.cpuUsage(cpu)
  await close()
  times.sort((a, b) => a - b)
  const percentile = (part: number) => times[Math.ceil(times.length * part) - 1]!
  return { wallMs, cpuMs: (user + system) / 1000, p50Ms: percentile(0.5), p99Ms: percentile(0.99) }
}

/** One request after the other. Each returns whether more are to come. */
interface Requests {
  request(): Promise<boolean>
  close(): Promise<void>
}

async function sending(kafka: Kafka, { valueBytes, messagesPerSend, sends }: Shape, topic: string): Promise<Requests> {
  const producer = await kafka.producer()
  const messages = Array.from({ length: messagesPerSend }, (_, i) => ({
    key: 'job',
    value: Buffer.alloc(valueBytes, `${i},a row of some text,`),
  }))
  let left = sends
  const to = { topic, partition: 0 }
  await producer.partitions(topic) // so that it is connected
  const request = async () => {
    await producer.send(to, messages)
    return --left > 0
  }
  return { request, close: () => producer.close() }
}

async function fetching(kafka: Kafka, { messagesPerSend, sends }: Shape, topic: string): Promise<Requests> {
  const reader = await kafka.reader([topic])
  const [node] = (await reader.leaders([{ topic, partition: 0 }], false)).keys()
  let offset = 0
  let found = 0
  const request = async () => {
    const [answer] = await reader.fetch(node!, [{ topic, partition: 0, offset }], LIMITS)
    if (answer!.error) throw answer!.error
    found += answer!.messages.length
    offset = answer!.next
    return found < messagesPerSend * sends
  }
  return { request, close: () => reader.close() }
}
