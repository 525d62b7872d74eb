import { readNow } from '../kafka/read-now.ts'
import type { Reject } from '../model.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { topicsOf } from '../pipeline/topic-names.ts'
import { counted } from '../support/counted.ts'
import { decode } from '../wire/codec.ts'

/** A message that no job has in its results: it could not be read, or names a job that nobody opened. */
export type RejectOfNoJob = Pick<Reject, 'topic' | 'partition' | 'offset' | 'reason' | 'detail'>

/**
 * The rejects without a job that the topic `rejects` holds now, each once, ordered by topic, partition and offset of
 * the message. Throws the reason of `signal`.
 */
export async function findRejectsOfNoJob(context: PipelineContext): Promise<RejectOfNoJob[]> {
  const { rejects: topic } = topicsOf(context.pipeline)
  const reader = await context.kafka.reader([topic])
  const partitions = reader.partitions(topic)
  await reader.close()
  const beginnings = Array.from({ length: partitions }, (_, partition) => ({ topic, partition, offset: 0 }))
  /** By message: after a restart, a worker rejects the same message again. */
  const found = new Map<string, RejectOfNoJob>()
  let unreadable = 0
  await readNow(context, beginnings, (_, { value }) => {
    const reject = rejectOf(value)
    if (!reject) unreadable++
    else if (reject.job === null) {
      const { topic, partition, offset, reason, detail } = reject
      found.set(`${topic}/${partition}/${offset}`, { topic, partition, offset, reason, detail })
    }
  })
  if (unreadable > 0)
    context.say(
      `${counted(unreadable, 'message')} of ${topic} cannot be read as a reject. Does this command need --schema-registry?`,
      { level: 'warn', topic },
    )
  return [...found.values()].sort(byPlace)
}

function rejectOf(value: Buffer | null): Reject | null {
  try {
    const record = decode(value)
    return record.kind === 'reject' ? record.value : null
  } catch {
    return null
  }
}

function byPlace(a: RejectOfNoJob, b: RejectOfNoJob): number {
  if (a.topic !== b.topic) return a.topic < b.topic ? -1 : 1
  return a.partition - b.partition || a.offset - b.offset
}
