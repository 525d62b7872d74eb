import { readNow } from '../kafka/read-now.ts'
import type { Job } from '../model.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { topicsOf } from '../pipeline/topic-names.ts'
import { decode } from '../wire/codec.ts'
import type { WireRecord } from '../wire/record.ts'

/** How many partitions may have results of the job. A job without sequence also uses partitions that were added later. */
export async function resultPartitions({ kafka, pipeline }: PipelineContext, job: Job): Promise<number> {
  if (job.sequenced) return job.partitions
  const { results } = topicsOf(pipeline)
  const reader = await kafka.reader([results])
  try {
    return Math.max(job.partitions, reader.partitions(results))
  } finally {
    await reader.close()
  }
}

/**
 * Reads the results of the job in these partitions, in log order, as of now. `take` gets every result and every end of
 * input of the attempts that count. Messages that cannot be read are skipped: collectors log them. Throws the reason of
 * `signal`.
 */
export async function readResultsNow(
  context: PipelineContext,
  { job, partitions }: { job: Job; partitions: readonly number[] },
  take: (partition: number, record: WireRecord & { kind: 'result' | 'end' }) => void,
): Promise<void> {
  const { results: topic } = topicsOf(context.pipeline)
  const attempts = new Set(context.jobs.attemptsOf(job.id).map(({ attempt }) => attempt))
  const offsets = partitions.map(partition => ({ topic, partition, offset: job.resultsFrom[partition] ?? 0 }))
  await readNow(context, offsets, (partition, { value }) => {
    const record = recordOf(value, job.id)
    if (record && attempts.has(record.value.attempt)) take(partition, record)
  })
}

function recordOf(value: Buffer | null, job: string): (WireRecord & { kind: 'result' | 'end' }) | null {
  try {
    const record = decode(value)
    return (record.kind === 'result' || record.kind === 'end') && record.value.job === job ? record : null
  } catch {
    return null
  }
}
