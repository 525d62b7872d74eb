import type { Lending } from '../../src/work/calls.ts'
import { LendingDesk, type Seat } from '../../src/work/lending-desk.ts'
import type { FromDesk, ToDesk } from '../../src/work/lending-messages.ts'

/** A worker at a desk in this process. Messages are JSON and take a turn of the event loop, as between processes. */
export class DeskPlace implements Lending {
  /** What the worker said, and what it heard. */
  readonly said: ToDesk[] = []
  readonly heard: FromDesk[] = []
  /** Whether the worker hears nothing, as a process that stands still. */
  isFrozen = false
  readonly #seat: Seat
  #told: (message: FromDesk) => void = () => {}

  constructor(desk: LendingDesk = new LendingDesk()) {
    this.#seat = desk.join(message => this.#later(message, heard => this.#hear(heard)))
  }

  tell(message: ToDesk): void {
    if (this.isFrozen) return
    this.said.push(message)
    this.#later(message, said => this.#seat.told(said))
  }

  listen(told: (message: FromDesk) => void): void {
    this.#told = told
  }

  /** The process of the worker ends. */
  leave(): void {
    this.isFrozen = true
    this.#seat.leave()
  }

  count(type: ToDesk['type']): number {
    return this.said.filter(message => message.type === type).length
  }

  #hear(message: FromDesk): void {
    this.heard.push(message)
    if (!this.isFrozen) this.#told(message)
  }

  #later<Message>(message: Message, receive: (message: Message) => void): void {
    const sent = JSON.stringify(message)
    setImmediate(() => receive(JSON.parse(sent)))
  }
}
