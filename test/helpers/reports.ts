import type { Kafka } from '../../src/kafka/index.ts'
import { readNow } from '../../src/kafka/read-now.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import type { Report } from '../../src/reports/report.ts'
import { decodeReport } from '../../src/reports/report-text.ts'

/** The newest report of each process of a pipeline. Empty if nobody has created the topic. */
export async function newestReports(kafka: Kafka, pipeline: string): Promise<Report[]> {
  const topic = topicsOf(pipeline).reports
  const admin = await kafka.admin()
  const isThere = await admin.partitions([topic]).finally(() => admin.close())
  if (isThere.size === 0) return []
  const found = new Map<string, Report>()
  const { signal } = new AbortController()
  await readNow({ kafka, say: () => {}, signal }, [{ topic, partition: 0, offset: 0 }], (_, { key, value }) => {
    const report = decodeReport(value)
    if (report) found.set(key!.toString(), report)
  })
  return [...found.values()]
}
