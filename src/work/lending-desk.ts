import type { FromDesk, ToDesk } from './lending-messages.ts'

/** A worker at the desk. A worker that is started again gets another seat. */
export interface Seat {
  told(message: ToDesk): void
  /** The worker has ended. */
  leave(): void
}

interface SeatedWorker {
  readonly number: number
  tell(message: FromDesk): void
}

/** A batch that a lender has. `id` is the number that its owner gave it. */
interface Lent {
  readonly owner: SeatedWorker
  readonly lender: SeatedWorker
  readonly id: number
}

/**
 * Where workers of one supervisor lend each other their classifiers. The desk brings together a worker that has nothing to
 * classify and one that has too much, and passes on batches and answers. It says nothing while all of them are busy, and
 * nothing while all are idle.
 *
 * A lender that ends, or an owner that ends, is noticed here: its open batches go back to their owners, or are forgotten.
 */
export class LendingDesk {
  readonly #seated = new Map<number, SeatedWorker>()
  /** Workers that would take a batch, and when each will be free. */
  readonly #spare = new Map<SeatedWorker, number>()
  /** Workers with rows that wait. The first has waited longest for its turn. */
  readonly #needy = new Set<SeatedWorker>()
  /** To whom a lender is offered. */
  readonly #offered = new Map<SeatedWorker, SeatedWorker>()
  readonly #lent = new Map<number, Lent>()
  #joined = 0
  #batches = 0

  join(tell: (message: FromDesk) => void): Seat {
    const worker = { number: ++this.#joined, tell }
    this.#seated.set(worker.number, worker)
    return {
      told: message => {
        if (!this.#seated.has(worker.number)) return // its last words came after its end
        this.#told(worker, message)
        this.#match()
      },
      leave: () => {
        this.#leave(worker)
        this.#match()
      },
    }
  }

  #told(worker: SeatedWorker, message: ToDesk): void {
    if (message.type === 'spare') this.#spare.set(worker, message.inMs)
    else if (message.type === 'needs') {
      this.#spare.delete(worker)
      this.#needy.add(worker)
    } else if (message.type === 'unneeded') {
      this.#needy.delete(worker)
      this.#takeBack(this.#seated.get(message.lender))
    } else if (message.type === 'lend') this.#lend(worker, message)
    else this.#answered(worker, message)
  }

  #lend(owner: SeatedWorker, { lender: number, id, batch }: Extract<ToDesk, { type: 'lend' }>): void {
    const lender = this.#seated.get(number)
    if (!lender) {
      owner.tell({ type: 'answer', id, answer: null })
      return
    }
    this.#offered.delete(lender)
    this.#lent.set(++this.#batches, { owner, lender, id })
    lender.tell({ type: 'lent', id: this.#batches, batch })
  }

  #answered(worker: SeatedWorker, { id, answer }: Extract<ToDesk, { type: 'answered' }>): void {
    const lent = this.#lent.get(id)
    if (lent?.lender !== worker) return // its owner has ended
    this.#lent.delete(id)
    lent.owner.tell({ type: 'answer', id: lent.id, answer })
  }

  /** The owner has no use for the lender. */
  #takeBack(lender: SeatedWorker | undefined): void {
    if (lender && this.#offered.delete(lender)) this.#spare.set(lender, 0)
  }

  #leave(worker: SeatedWorker): void {
    this.#seated.delete(worker.number)
    this.#spare.delete(worker)
    this.#needy.delete(worker)
    this.#offered.delete(worker)
    for (const [lender, owner] of this.#offered) if (owner === worker) this.#takeBack(lender)
    for (const [number, { owner, lender, id }] of this.#lent) {
      if (owner !== worker && lender !== worker) continue
      this.#lent.delete(number)
      if (owner !== worker) owner.tell({ type: 'answer', id, answer: null })
    }
  }

  /** Offers each spare classifier to the next worker that needs one. */
  #match(): void {
    for (const [lender, inMs] of this.#spare) {
      const owner = [...this.#needy].find(needy => needy !== lender)
      if (!owner) continue
      this.#spare.delete(lender)
      this.#needy.delete(owner)
      this.#needy.add(owner) // the others have their turn before it
      this.#offered.set(lender, owner)
      owner.tell({ type: 'lender', lender: lender.number, inMs })
    }
  }
}
