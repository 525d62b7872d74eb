import type { Committed, GroupOffsets, Member, MemberHandlers, TopicPartition } from '../kafka/index.ts'
import { untilAborted } from '../support/abort.ts'
import { realTime, type Time } from '../support/clock.ts'
import type { WorkerShare } from './worker-share.ts'

const AGAIN_MS = 250

/**
 * Stands where a member of a consumer group stands, but gets its partitions from the supervisor of its run, and is in no
 * group. It commits for nobody, which the broker accepts because the group is empty.
 */
export class ShareMember implements Member {
  readonly #share: WorkerShare
  readonly #offsets: GroupOffsets
  readonly #topic: string
  readonly #time: Time
  /** Ends the hold of the present assignment. */
  #again = Promise.withResolvers<void>()
  /** Those who wait until it is released. */
  #waiting: (() => void)[] = []

  constructor(
    share: WorkerShare,
    offsets: GroupOffsets,
    { topic, time = realTime }: { topic: string; time?: Time | undefined },
  ) {
    this.#share = share
    this.#offsets = offsets
    this.#topic = topic
    this.#time = time
  }

  async run(handlers: MemberHandlers, signal: AbortSignal): Promise<void> {
    const unfollow = this.#share.follow(() => this.#changed())
    const stopped = untilAborted(signal)
    while (!signal.aborted) {
      const again = this.#again.promise
      try {
        if (this.#share.partitions) await handlers.onAssigned(await this.committed(this.#held))
        await Promise.race([again, stopped])
      } catch (error) {
        const final = this.#offsets.finalError(error)
        if (final) throw final
        handlers.onTrouble(error as Error)
        await this.#time.sleep(AGAIN_MS, signal)
      }
      if (!signal.aborted) await this.#release(handlers)
    }
    unfollow()
    for (const released of this.#waiting.splice(0)) released() // `close` of the membership drops everything
  }

  reassign(): void {
    this.#again.resolve()
  }

  /** Its supervisor tells it. */
  wake(): void {}

  commit(offsets: readonly Committed[]): Promise<void> {
    return this.#offsets.commit(offsets)
  }

  committed(partitions: readonly TopicPartition[]): Promise<Committed[]> {
    return this.#offsets.committed(partitions)
  }

  close(): Promise<void> {
    return this.#offsets.close()
  }

  get #held(): TopicPartition[] {
    return this.#share.partitions!.map(partition => ({ topic: this.#topic, partition }))
  }

  #changed(): Promise<void> {
    return new Promise(resolve => {
      this.#waiting.push(resolve)
      this.#again.resolve()
    })
  }

  /** Whoever waits asked before we released, so the next owner begins at our last commit. */
  async #release(handlers: MemberHandlers): Promise<void> {
    this.#again = Promise.withResolvers<void>()
    await handlers.onRebalance()
    handlers.onRevoked?.()
    for (const released of this.#waiting.splice(0)) released()
  }
}
