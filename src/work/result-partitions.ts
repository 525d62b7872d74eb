import { toRowmillError } from '../errors.ts'
import type { Kafka, Producer } from '../kafka/index.ts'
import { addPartitions } from '../pipeline/add-partitions.ts'
import type { PipelineConnection } from '../pipeline/context.ts'
import { topicsOf } from '../pipeline/topic-names.ts'
import type { Say } from '../support/say.ts'

/**
 * Knows how many partitions `results` has. The result of a row goes to the partition of the same number, and somebody may
 * grow the topics of the rows while the worker runs.
 */
export class ResultPartitions {
  readonly #kafka: Kafka
  readonly #producer: Producer
  readonly #topic: string
  readonly #say: Say
  #known = 0
  #said = ''

  constructor({ kafka, pipeline, say }: PipelineConnection, producer: Producer) {
    this.#kafka = kafka
    this.#producer = producer
    this.#topic = topicsOf(pipeline).results
    this.#say = say
  }

  /** Grows `results` to `wanted` partitions if it can, and returns how many there are. Logs once why there are fewer. */
  async upTo(wanted: number): Promise<number> {
    if (this.#known >= wanted) return this.#known
    try {
      this.#known = await this.#producer.partitions(this.#topic)
    } catch {
      return wanted // the sender of a result will find and report what is wrong with the topic
    }
    if (this.#known < wanted) await this.#add(wanted)
    return this.#known
  }

  async #add(wanted: number): Promise<void> {
    try {
      const admin = await this.#kafka.admin()
      await addPartitions(admin, this.#topic, wanted).finally(() => admin.close())
      this.#known = wanted
    } catch (error) {
      const { message, code } = toRowmillError(error)
      if (message !== this.#said) {
        const facts = { level: 'warn', topic: this.#topic, code } as const
        this.#say(`${message}. Until then, rows of partition ${this.#known} and above wait`, facts)
      }
      this.#said = message
    }
  }
}
