import type { Kafka } from '../../src/kafka/index.ts'
import { readNow } from '../../src/kafka/read-now.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import type { Report } from '../../src/reports/report.ts'
import { decodeReport } from '../../src/reports/report-text.ts'

/** The newest report of each process of a pipeline. Empty if nobody has created the topic. */
export async function newestReports(kafka: Kafka, pipeline: string): Promise<Report[]> {
  const reports = await allReports(kafka, pipeline)
  return [...new Map(reports.map(report => [report.process, report])).values()]
}

/** The reports of a pipeline, the oldest first: a topic as young as that of a test still has them all. */
export async function allReports(kafka: Kafka, pipeline: string): Promise<Report[]> {
  const topic = topicsOf(pipeline).reports
  const admin = await kafka.admin()
  const isThere = await admin.partitions([topic]).finally(() => admin.close())
  if (isThere.size === 0) return []
  const found: Report[] = []
  const { signal } = new AbortController()
  await readNow({ kafka, say: () => {}, signal }, [{ topic, partition: 0, offset: 0 }], (_, { value }) => {
    const report = decodeReport(value)
    if (report) found.push(report)
  })
  return found
}
