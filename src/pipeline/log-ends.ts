import type { Job } from '../model.ts'
import type { PipelineContext } from './context.ts'
import { topicsOf } from './topic-names.ts'

/** Where a topic of rows and `results` end now, by partition: nothing of a job that is opened now lies below. */
export async function logEnds(
  { kafka, pipeline }: PipelineContext,
  topic: string,
  partitions: number,
): Promise<Pick<Job, 'rowsFrom' | 'resultsFrom'>> {
  const { results } = topicsOf(pipeline)
  const reader = await kafka.reader([topic, results], { operation: 'Describe' })
  try {
    return { rowsFrom: await reader.ends(topic, partitions), resultsFrom: await reader.ends(results, partitions) }
  } finally {
    await reader.close()
  }
}
