import { openJob, results } from '../../src/index.ts'
import type { Flow } from './flow.ts'

export interface JobFlowOptions {
  readonly broker: string
  readonly pipeline: string
  readonly job: string
}

/** An event job, sent and read with the SDK. The workers of a pipeline classify its rows. */
export async function openJobFlow({ broker, pipeline, job: id }: JobFlowOptions): Promise<Flow> {
  const place = { brokers: [broker], pipeline }
  const job = await openJob({ ...place, id, columns: ['ID', 'SKU', 'TEXT'] })
  return {
    send: values => job.send(values),
    async *results(signal) {
      for await (const { rows } of results({ ...place, job: id, signal })) {
        yield rows.map(({ seq, values, rejected }) => ({
          seq: seq!,
          values: values ?? [`rejected: ${rejected.detail}`],
        }))
      }
    },
    async close() {
      await job.end()
      await job.close()
    },
  }
}
