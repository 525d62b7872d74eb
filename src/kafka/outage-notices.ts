import type { Say } from '../support/say.ts'

/**
 * What the connections of one client tell about their outages, so that a restart of the broker is one line and not one for
 * each connection.
 */
export class OutageNotices {
  /** How many connections are out, for each thing they cannot do, and the causes that were told. */
  readonly #out = new Map<string, { connections: number; readonly told: Set<string> }>()

  /** A connection is out for a while. `what` completes "cannot ...". */
  out(what: string, { text, how }: { text: string; how: string }, say: Say): void {
    const state = this.#out.get(what) ?? { connections: 0, told: new Set() }
    this.#out.set(what, state)
    state.connections++
    if (!state.told.has(text)) say(`cannot ${what}: ${text}. ${how}`)
    state.told.add(text)
  }

  /** One that was out works again, or was given up. Returns whether it was the last one. */
  in(what: string): boolean {
    const state = this.#out.get(what)!
    state.connections--
    return state.connections === 0 && this.#out.delete(what)
  }
}
