import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { python } from './python.ts'

const SCRIPT = `
import json, sys
from confluent_kafka import Consumer, Producer, TopicPartition
properties, source, target, value = json.loads(sys.argv[1])
consumer = Consumer({**properties, 'group.id': 'intruder'})
consumer.assign([TopicPartition(source, 0, 0)])
message = consumer.poll(3)
read = message is not None and message.error() is None
written = []
producer = Producer(properties)
if value is not None:
    producer.produce(target, bytes.fromhex(value), partition=0, on_delivery=lambda error, _: written.append(error is None))
producer.flush(3)
print(json.dumps({'read': message.value().hex() if read else None, 'wrote': written == [True]}))
`

export interface Intrusion {
  /** How librdkafka reaches the cluster. */
  readonly properties: Readonly<Record<string, string>>
  /** The topic of which it reads the first message of partition 0. */
  readonly source: string
  /** The topic of which it writes `value` into partition 0. */
  readonly target: string
  /** Null: it writes nothing. */
  readonly value: Buffer | null
}

/** What a program of somebody else can do at a broker in 6 s: the message that it read, and whether it wrote one. */
export async function intrude(intrusion: Intrusion): Promise<{ read: Buffer | null; wrote: boolean }> {
  const { properties, source, target, value } = intrusion
  const argument = JSON.stringify([properties, source, target, value?.toString('hex') ?? null])
  const { stdout } = await promisify(execFile)(python, ['-c', SCRIPT, argument])
  const { read, wrote } = JSON.parse(stdout)
  return { read: read && Buffer.from(read, 'hex'), wrote }
}
