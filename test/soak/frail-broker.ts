import { setTimeout as sleep } from 'node:timers/promises'
import { startLocalBroker } from '../../src/broker/local-broker.ts'
import type { LocalBroker } from '../../src/broker/running-broker.ts'
import { freePort } from '../helpers/free-port.ts'
import { descendants } from '../helpers/processes.ts'
import { sendIfSame } from './parts.ts'

/** A broker that keeps its topics, and is killed and frozen. */
export class FrailBroker {
  readonly address: string
  readonly #start: () => Promise<LocalBroker>
  readonly #fail: (error: Error) => void
  #broker: LocalBroker
  /** The end of its last outage; infinite during one. */
  #troubledTo = Number.NEGATIVE_INFINITY

  private constructor(broker: LocalBroker, start: () => Promise<LocalBroker>, fail: (error: Error) => void) {
    this.address = broker.address
    this.#broker = broker
    this.#start = start
    this.#fail = fail
    this.#watch()
  }

  /** `fail` is called if it ends by itself. */
  static async start(dataDir: string, fail: (error: Error) => void): Promise<FrailBroker> {
    const port = await freePort()
    const start = () => startLocalBroker({ dataDir, port })
    return new FrailBroker(await start(), start, fail)
  }

  /** Whether a command that has run since then met a broker that did not answer. */
  troubledSince(time: number): boolean {
    return this.#troubledTo >= time
  }

  async restart(awayMs: number): Promise<void> {
    await this.#trouble(async () => {
      await this.#broker.kill()
      await sleep(awayMs)
      this.#broker = await this.#start()
      this.#watch()
    })
  }

  async freeze(forMs: number): Promise<void> {
    const java = descendants(process.pid).find(({ name }) => name === 'java')
    if (!java) throw new Error('there is no broker to freeze')
    await this.#trouble(async () => {
      sendIfSame(java, 'SIGSTOP')
      await sleep(forMs)
      sendIfSame(java, 'SIGCONT')
    })
  }

  async close(): Promise<void> {
    await this.#broker.kill()
  }

  #watch(): void {
    void this.#broker.died.then(this.#fail)
  }

  async #trouble(happens: () => Promise<void>): Promise<void> {
    this.#troubledTo = Number.POSITIVE_INFINITY
    await happens()
    this.#troubledTo = performance.now()
  }
}
