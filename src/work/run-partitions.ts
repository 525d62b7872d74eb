import { type Dealt, dealPartitions, dealWithout } from '../core/deal-partitions.ts'

/** The partitions that a worker has from now on. It answers with the same turn when it has released all others. */
export interface Share {
  readonly partitions: readonly number[]
  readonly turn: number
}

interface Sharer {
  /** What it was told last. Null: nothing yet. */
  told: Share | null
  /** What it may still hold: what it was told last and, until it answers, what it was told before. */
  holds: ReadonlySet<number>
}

const NOTHING: Dealt = new Map()

/**
 * The partitions of a run that has a pipeline of its own, and which worker has which. Its workers need no consumer group.
 * A partition that moves between two living workers is told to the next one only after the last one has released it.
 */
export class RunPartitions {
  readonly #count: number
  readonly #tell: (worker: string, share: Share) => void
  /** In the order in which the workers first came. */
  readonly #order: string[] = []
  readonly #sharers = new Map<string, Sharer>()
  #dealt: Dealt = NOTHING
  #turn = 0

  constructor(count: number, tell: (worker: string, share: Share) => void) {
    this.#count = count
    this.#tell = tell
  }

  /** A worker can take partitions. Called again, it changes nothing. */
  came(worker: string): void {
    if (this.#sharers.has(worker)) return
    if (!this.#order.includes(worker)) this.#order.push(worker)
    this.#sharers.set(worker, { told: null, holds: new Set() })
    this.#dealt = dealPartitions(
      this.#order.filter(name => this.#sharers.has(name)),
      this.#count,
    )
    this.#update()
  }

  /** The process of a worker has ended: it holds nothing any more. */
  gone(worker: string): void {
    if (!this.#sharers.delete(worker)) return
    this.#dealt = dealWithout(this.#dealt, worker)
    this.#update()
  }

  /** A worker has released what it was not told in this turn. */
  released(worker: string, turn: number): void {
    const sharer = this.#sharers.get(worker)
    if (sharer?.told?.turn !== turn) return // it was told something else meanwhile, and will answer that
    sharer.holds = new Set(sharer.told.partitions)
    this.#update()
  }

  /** Tells each worker what it may have now, if that has changed. */
  #update(): void {
    for (const [worker, sharer] of this.#sharers) {
      const others = [...this.#sharers].filter(([name]) => name !== worker)
      const isFree = (partition: number) => !others.some(([, { holds }]) => holds.has(partition))
      const partitions = this.#dealt.get(worker)!.filter(isFree)
      if (sharer.told !== null && partitions.join() === sharer.told.partitions.join()) continue
      sharer.told = { partitions, turn: ++this.#turn }
      sharer.holds = new Set([...sharer.holds, ...partitions])
      this.#tell(worker, sharer.told)
    }
  }
}
