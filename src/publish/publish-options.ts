import type { Layout } from '../core/sequence.ts'
import type { Kafka } from '../kafka/index.ts'
import type { JobOption } from '../model.ts'
import type { JobLog } from '../pipeline/job-log.ts'
import type { Say } from '../support/say.ts'

export interface PublishOptions {
  readonly kafka: Kafka
  readonly pipeline: string
  readonly jobs: JobLog
  readonly job: string
  readonly layout: Layout
  /** Whether the pipeline has the topic `bulk`, as those that others may use too have. Default: no. */
  readonly bulk?: boolean
  /** Options for the job record beside those of the source. */
  readonly options: readonly JobOption[]
  readonly by: string
  readonly say: Say
  readonly signal: AbortSignal
  /** Called once, before the job record is sent: from then on there may be a job to resume. */
  onOpen?(): Promise<void> | void
  /** Called once, before the first row is sent: the job that has the id is the one of this source and these options. */
  onHeld?(): void
  /** Called now and then with the rows acknowledged so far and, where known, of how many. */
  onProgress?(rows: number, total: number | null): void
}
