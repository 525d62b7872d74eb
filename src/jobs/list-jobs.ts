import { foldJob } from '../core/job.ts'
import { readNow } from '../kafka/read-now.ts'
import type { Job } from '../model.ts'
import type { PipelineContext } from '../pipeline/context.ts'
import { topicsOf } from '../pipeline/topic-names.ts'
import { counted } from '../support/counted.ts'
import { decode } from '../wire/codec.ts'

/** Every job of a pipeline as of now, in the order in which they were opened. Logs how many messages cannot be read. */
export async function listJobs(context: PipelineContext): Promise<Job[]> {
  const { jobs: topic } = topicsOf(context.pipeline)
  const jobs = new Map<string, Job>()
  let unreadable = 0
  await readNow(context, [{ topic, partition: 0, offset: 0 }], (_, { value }) => {
    const record = recordOf(value)
    if (record?.kind === 'job') jobs.set(record.value.id, foldJob(jobs.get(record.value.id), record.value))
    else unreadable++
  })
  if (unreadable > 0)
    context.say(
      `${counted(unreadable, 'message')} of ${topic} cannot be read as a job record. Does this command need --schema-registry?`,
    )
  return [...jobs.values()]
}

function recordOf(value: Buffer | null) {
  try {
    return decode(value)
  } catch {
    return null
  }
}
