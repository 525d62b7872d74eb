import type { RowmillError } from '../errors.ts'

/** A broker that runs for this process. */
export interface LocalBroker {
  /** 127.0.0.1:PORT */
  readonly address: string
  /** Whether its topics are there again at the next start. */
  readonly keepsData: boolean
  /** Resolves when the broker ends without `close`, with the last lines of its log. Never rejects. */
  readonly died: Promise<RowmillError>
  /** Ends the broker and removes its temporary data. Resolves when nothing of it is left. Twice is fine. */
  close(): Promise<void>
  /** The same without a farewell: quicker, and the next start on kept data recovers, as after a crash. */
  kill(): Promise<void>
}
