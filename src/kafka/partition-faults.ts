import { type ErrorCode, RowmillError } from '../errors.ts'
import type { Time } from '../support/clock.ts'
import type { Say } from '../support/say.ts'
import { Backoff } from './backoff.ts'
import { isNotAuthorized } from './errors.ts'
import { describeKafkaError, type TopicPartition } from './index.ts'

/** A partition that cannot be read for longer than this is logged. */
const LOGGED_AFTER_MS = 1000

/** The errors that new metadata may end: another broker leads the partition, or will soon. */
const OF_LEADERS =
  /NOT_LEADER|LEADER_NOT_AVAILABLE|LEADER_EPOCH|UNKNOWN_TOPIC|REPLICA_NOT_AVAILABLE|KAFKA_STORAGE_ERROR/

/** A partition, and the offset that a fetch asked for. */
interface Unread extends TopicPartition {
  readonly nextOffset: number
}

interface PartitionFault {
  readonly since: number
  readonly backoff: Backoff
  said: boolean
  ofLeaders: boolean
  isOverdue: boolean
}

export interface PartitionFaultsOptions {
  readonly say: Say
  /** How long a partition may be unreadable. */
  readonly timeoutMs: number
  /**
   * A patient reader waits for an unreadable partition as long as it takes. It ends only if none of its partitions has had a
   * leader for `timeoutMs`, as after their topic was deleted.
   */
  readonly patient: boolean
  readonly time: Time
}

/**
 * The partitions that the broker cannot read, although it answers: for example because a batch is damaged on its disk. Each
 * is reported once, and once more when it is readable again.
 */
export class PartitionFaults {
  readonly #options: PartitionFaultsOptions
  readonly #faults = new Map<string, PartitionFault>()

  constructor(options: PartitionFaultsOptions) {
    this.#options = options
  }

  /**
   * Notes that a fetch of this partition failed. Returns how long to wait before the next one, and whether new metadata may
   * help. Throws TOPIC_UNUSABLE or NOT_AUTHORIZED if a retry is no use, and PARTITION_UNREADABLE if the reader has waited long enough.
   */
  failed(at: Unread, error: unknown, all: readonly TopicPartition[]): { pauseMs: number; ofLeaders: boolean } {
    const { say, timeoutMs, patient, time } = this.#options
    if (isNotAuthorized(error)) throw error
    const { text, retriable, type } = describeKafkaError(error)
    const { topic, partition, nextOffset: offset } = at
    const failure = (code: ErrorCode, duration: string) => {
      const message = `${nameOf(at)}: the broker cannot read from offset ${offset} on${duration}: ${text}`
      return new RowmillError(code, message, { topic, partition, offset, type }, { cause: error })
    }
    if (!retriable) throw failure('TOPIC_UNUSABLE', '')
    const now = time.now()
    const fault = this.#faults.get(nameOf(at)) ?? newFault(now)
    this.#faults.set(nameOf(at), fault)
    const lastsMs = now - fault.since
    fault.isOverdue = lastsMs > timeoutMs
    fault.ofLeaders = OF_LEADERS.test(type)
    if (fault.isOverdue && (!patient || this.#hasNoLeader(all)))
      throw failure('PARTITION_UNREADABLE', `, for ${Math.round(lastsMs / 1000)} s`)
    if (!fault.said && lastsMs > LOGGED_AFTER_MS) {
      fault.said = true
      const patience = patient ? '' : ` for --broker-timeout ${timeoutMs / 1000} s`
      const { message, code } = failure('PARTITION_UNREADABLE', '')
      const facts = { level: 'warn', code, topic, partition, offset } as const
      say(`${message}. Other partitions are read meanwhile. Retrying${patience}`, facts)
    }
    return { pauseMs: fault.backoff.nextMs(), ofLeaders: fault.ofLeaders }
  }

  /** Notes that the broker can read the partition. */
  over(at: TopicPartition): void {
    const name = nameOf(at)
    const { topic, partition } = at
    if (this.#faults.get(name)?.said) this.#options.say(`${name}: the broker can read it again`, { topic, partition })
    this.#faults.delete(name)
  }

  /** Forgets all other partitions: somebody else reads them now. */
  keepOnly(kept: readonly TopicPartition[]): void {
    const names = new Set(kept.map(nameOf))
    for (const name of [...this.#faults.keys()]) if (!names.has(name)) this.#faults.delete(name)
  }

  #hasNoLeader(all: readonly TopicPartition[]): boolean {
    const faults = all.map(at => this.#faults.get(nameOf(at)))
    return faults.every(fault => fault?.isOverdue && fault.ofLeaders)
  }
}

function newFault(since: number): PartitionFault {
  return { since, backoff: new Backoff(), said: false, ofLeaders: false, isOverdue: false }
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}[${partition}]`
}
