import { type ClusterProbe, type DescribedCluster, Kafka, type KafkaAdmin, type KafkaSettings } from '../kafka/index.ts'
import type { Say } from '../support/say.ts'

/** The cluster that is examined. Checks share its connections: each is made when a check first asks for it. */
export class ClusterAccess {
  readonly settings: KafkaSettings
  readonly kafka: Kafka
  readonly #closing = new AbortController()
  #probe: Promise<ClusterProbe> | null = null
  #admin: Promise<KafkaAdmin> | null = null
  readonly #described = new Map<string, Promise<DescribedCluster>>()

  /** `say` gets the lines of the client if the settings ask for them. */
  constructor(settings: KafkaSettings, stop?: AbortSignal, say?: Say) {
    this.settings = settings
    this.kafka = new Kafka(settings, stop, settings.logsClient ? say : undefined)
  }

  /** The brokers as the user gave them, for commands that a cure suggests. */
  get brokersText(): string {
    return this.settings.brokers.join(',')
  }

  /** A connection to the first of the brokers that lets us in. Throws what the last one answers. */
  probe(): Promise<ClusterProbe> {
    this.#probe ??= this.#connect()
    return this.#probe
  }

  admin(): Promise<KafkaAdmin> {
    this.#admin ??= this.kafka.admin()
    return this.#admin
  }

  /** The brokers, and these topics with what this user may do. */
  describe(topics: readonly string[]): Promise<DescribedCluster> {
    const key = topics.join()
    const described = this.#described.get(key) ?? this.probe().then(probe => probe.describe(topics))
    this.#described.set(key, described)
    return described
  }

  /** Hangs up, also on what still connects. Does not wait for it. */
  close(): void {
    this.#closing.abort()
    for (const opened of [this.#probe, this.#admin]) opened?.then(each => each.close()).catch(() => {})
  }

  async #connect(): Promise<ClusterProbe> {
    let refusal: unknown
    for (const address of this.settings.brokers) {
      try {
        return await this.kafka.probe(address, this.#closing.signal)
      } catch (error) {
        refusal = error
      }
    }
    throw refusal
  }
}
