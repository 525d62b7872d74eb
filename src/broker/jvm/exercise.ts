import { type ClusterSettings, Kafka } from '../../kafka/index.ts'
import { topicsOf } from '../../pipeline/topic-names.ts'
import { ensureTopics } from '../../pipeline/topics.ts'
import { CLIENT_ID } from '../raw-requests.ts'

const PIPELINE = 'exercise'
const ROW = { key: '', value: Buffer.alloc(1) }
const LIMITS = { maxWaitMs: 0, maxPartitionBytes: 1024 * 1024, maxBytes: 1024 * 1024 }

/** Has a new broker do once what a run asks of it: create topics, append, read, commit, delete. */
export async function exercise(cluster: ClusterSettings, signal: AbortSignal): Promise<void> {
  const kafka = new Kafka({ ...cluster, clientId: CLIENT_ID }, signal)
  const { rows } = topicsOf(PIPELINE)
  const at = { topic: rows, partition: 0 }
  const admin = await kafka.admin()
  await ensureTopics(admin, PIPELINE, 1, { bulk: false, say: () => {} })
  const [producer, reader, offsets] = await Promise.all([
    kafka.producer(),
    kafka.reader([rows]),
    kafka.groupOffsets(PIPELINE, [rows]),
  ])
  await producer.send(at, [ROW], signal)
  await reader.ends(rows, 1)
  for (const node of (await reader.leaders([at], false)).keys())
    await reader.fetch(node, [{ ...at, offset: 0 }], LIMITS)
  await offsets.committed([at])
  await offsets.commit([{ ...at, offset: 1, metadata: null }])
  await Promise.all([producer.close(), reader.close(), offsets.close()])
  await admin.deleteTopics([...(await admin.partitions(Object.values(topicsOf(PIPELINE)))).keys()])
  await admin.deleteGroup(PIPELINE)
  await admin.close()
}
