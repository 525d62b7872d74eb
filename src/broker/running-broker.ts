import type { RowmillError } from '../errors.ts'
import type { ClusterSettings } from '../kafka/index.ts'
import type { BrokerLogin } from './broker-login.ts'

/** A broker that this process has started. */
export interface LocalBroker {
  /** 127.0.0.1:PORT */
  readonly address: string
  /** The same with the login of a private broker. */
  readonly cluster: ClusterSettings
  /** Null: the broker is open to all. */
  readonly login: BrokerLogin | null
  /** The file with the same as properties of a Kafka client, for other programs. Null: the broker is open to all. */
  readonly clientConfig: string | null
  /** Whether its topics survive until the next start. */
  readonly keepsData: boolean
  /** Resolves when the broker ends without `close`, with the last lines of its log. Never rejects. */
  readonly died: Promise<RowmillError>
  /** Ends the broker and removes its temporary data. Resolves when nothing is left. May be called more than once. */
  close(): Promise<void>
  /** Kills the broker. That is quicker, but the next start with kept data must recover, as after a crash. */
  kill(): Promise<void>
}
