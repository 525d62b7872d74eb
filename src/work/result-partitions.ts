import { toRowmillError } from '../errors.ts'
import type { Kafka, Producer } from '../kafka/index.ts'
import { addPartitions } from '../pipeline/add-partitions.ts'
import type { PipelineConnection } from '../pipeline/context.ts'
import { topicsOf } from '../pipeline/topic-names.ts'
import type { Say } from '../support/say.ts'

/**
 * How many partitions `results` has, for a worker: a row needs the partition of its own number there. Somebody may give
 * the topics of the rows more partitions while the worker runs.
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

  /** Adds partitions up to `wanted` where there are fewer, and returns how many there are. Says once why there are fewer. */
  async upTo(wanted: number): Promise<number> {
    if (this.#known >= wanted) return this.#known
    try {
      this.#known = await this.#producer.partitions(this.#topic)
    } catch {
      return wanted // who sends a result finds out what is wrong with the topic, and says it
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
      const { message } = toRowmillError(error)
      if (message !== this.#said) this.#say(`${message}. Rows from partition ${this.#known} on wait until then`)
      this.#said = message
    }
  }
}
