import type { SourceHeader } from '../connector.ts'
import type { Layout } from '../core/sequence.ts'
import type { JobOption } from '../model.ts'

export interface PublishOptions {
  /** What the source said when it was opened. */
  readonly header: SourceHeader
  /** The id of the job. */
  readonly job: string
  readonly layout: Layout
  /** Whether the pipeline has the topic `bulk`, as every shared pipeline has. Default: no. */
  readonly bulk?: boolean
  /** Options for the job record, in addition to those of the source. */
  readonly options: readonly JobOption[]
  readonly by: string
  /** Called once, before the job record is sent. From then on there may be a job to resume. */
  onOpen?(): Promise<void> | void
  /** Called once, before the first row is sent: the id belongs to a job with this source and these options. */
  onHeld?(): void
  /** Called with the number of rows that were sent so far, acknowledged or not. */
  onSent?(rows: number): void
  /** Called now and then with the number of rows acknowledged so far, and of all rows if it is known. */
  onProgress?(rows: number, total: number | null): void
}
