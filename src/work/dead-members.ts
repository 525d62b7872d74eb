import type { KafkaSettings } from '../kafka/index.ts'

/** What a worker says at each join of a group. */
export interface JoinedGroup {
  readonly group: string
  readonly member: string
}

/**
 * The members that worker processes are in their consumer groups. When a process dies, its supervisor leaves the groups on its
 * behalf. If that fails, the session of the member ends a little later.
 */
export class DeadMembers {
  /** By worker, the member that it is in each group. */
  readonly #joined = new Map<string, Map<string, string>>()

  joined(worker: string, { group, member }: JoinedGroup): void {
    const groups = this.#joined.get(worker) ?? new Map<string, string>()
    this.#joined.set(worker, groups.set(group, member))
  }

  /** Resolves with whether the groups have given its partitions to others, or are about to. Never rejects. */
  async leaveFor(worker: string, settings: Omit<KafkaSettings, 'clientId' | 'format'>): Promise<boolean> {
    const groups = [...(this.#joined.get(worker) ?? [])]
    this.#joined.delete(worker)
    if (groups.length === 0) return false
    const leaving = async () => {
      const { Kafka } = await import('../kafka/index.ts') // a supervisor starts its workers before this is loaded
      const kafka = new Kafka({ ...settings, clientId: `${worker}-supervisor` })
      await Promise.all(
        groups.map(async ([group, member]) => {
          const offsets = await kafka.groupOffsets(group, [])
          await offsets.leave(member).finally(() => offsets.close())
        }),
      )
      return true
    }
    return await leaving().catch(() => false)
  }
}
