import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { Kafka } from '../../src/kafka/index.ts'
import { asReal } from '../../test/fakes/kafka.ts'
import { OwnFetchKafka, SecondKafka } from './kafka.ts'
import type { Shape, Taken } from './shapes.ts'

const settings = (broker: string) => ({ brokers: [broker], clientId: 'measure' })

/** KafkaJS, with our own requests to read and to write, first: the others are compared with it. */
export const CLIENTS = {
  KafkaJS: broker => new Kafka(settings(broker)),
  platformatic: broker => asReal<Kafka>(new SecondKafka(settings(broker))),
  'platformatic, consumer.fetch': broker => asReal<Kafka>(new OwnFetchKafka(settings(broker))),
} satisfies Record<string, (broker: string) => Kafka>

/** What only one kind of shape tells apart from another client. */
export const ONLY: Readonly<Record<string, Shape['does']>> = {
  'platformatic, consumer.fetch': 'fetch',
}

export interface Task {
  readonly shape: Shape
  readonly topic: string
}

/** A client in a process of its own, so that neither warms up, nor slows down, the other. */
export class ClientProcess {
  readonly name: string
  readonly #child: ChildProcess
  readonly #failed: Promise<never>
  /** The most memory that the process ever had. */
  peakBytes = 0

  constructor(name: string, broker: string) {
    this.name = name
    this.#child = fork(join(import.meta.dirname, 'client-process.ts'), [name, broker])
    this.#failed = once(this.#child, 'exit').then(([code]) => {
      throw new Error(`${name} ended with exit code ${code}`)
    })
    this.#failed.catch(() => {}) // an idle process may end
  }

  async run(task: Task): Promise<Taken> {
    this.#child.send(task)
    const [taken] = await Promise.race([once(this.#child, 'message'), this.#failed])
    this.peakBytes = taken.peakBytes
    return taken
  }

  close(): void {
    if (this.#child.connected) this.#child.disconnect()
  }
}
