import { RowmillError } from '../errors.ts'
import { describeKafkaError, type KafkaAdmin } from '../kafka/index.ts'
import { untilShown } from './until-shown.ts'

/**
 * Adds partitions to a topic that has fewer than `wanted`, and waits until the broker knows them. Throws
 * BROKER_UNREACHABLE. Throws TOPIC_UNUSABLE if this user may not add them, with the command that does.
 */
export async function addPartitions(admin: KafkaAdmin, topic: string, wanted: number): Promise<void> {
  const there = async () => (await admin.partitions([topic])).get(topic) ?? 0
  const before = await there()
  if (before >= wanted) return
  let refusal: unknown = null
  try {
    await admin.addPartitions(topic, wanted)
  } catch (cause) {
    if (cause instanceof RowmillError) throw cause
    // A adds the partitions. B asks for the same and is refused. The broker that B asks does not know them yet.
    if (describeKafkaError(cause).type !== 'INVALID_PARTITIONS')
      throw tooFew(admin, { topic, there: before, wanted }, cause)
    refusal = cause
  }
  if (!(await untilShown(async () => (await there()) >= wanted)))
    throw tooFew(admin, { topic, there: before, wanted }, refusal)
}

/** Kafka's own command that gives a topic so many partitions. */
export function addPartitionsCommand(
  admin: Pick<KafkaAdmin, 'brokersText'>,
  topic: string,
  partitions: number,
): string {
  return `kafka-topics.sh --bootstrap-server ${admin.brokersText} --alter --topic ${topic} --partitions ${partitions}`
}

function tooFew(
  admin: KafkaAdmin,
  { topic, there, wanted }: { topic: string; there: number; wanted: number },
  cause: unknown,
): RowmillError {
  const why = cause === null ? 'the broker does not show the new ones' : describeKafkaError(cause).text
  const message =
    `topic ${topic} has ${there} partitions and needs ${wanted}, as the topic of the rows has. Adding them failed: ${why}. ` +
    `A user who may alter the topic adds them with: ${addPartitionsCommand(admin, topic, wanted)}`
  return new RowmillError('TOPIC_UNUSABLE', message, { topic, there, wanted }, { cause })
}
