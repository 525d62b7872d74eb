import type { Say } from '../support/say.ts'

/**
 * What the connections of one client tell about their outages, so that a restart of the broker is one line and not one for
 * each connection.
 */
export class OutageNotices {
  /** How many connections are out, for each thing they cannot do, the causes that were told, and whether one works again. */
  readonly #out = new Map<string, { connections: number; readonly told: Set<string>; isBack: boolean }>()

  /** A connection is out for a while. `what` completes "cannot ...". */
  out(what: string, { text, how }: { text: string; how: string }, say: Say): void {
    const state = this.#out.get(what) ?? { connections: 0, told: new Set(), isBack: false }
    this.#out.set(what, state)
    state.connections++
    if (!state.told.has(text)) say(`cannot ${what}: ${text}. ${how}`, { level: 'warn', code: 'BROKER_UNREACHABLE' })
    state.told.add(text)
  }

  /** One that was out works again, or was given up. Tells the end of the outage if no other is out, and one works again. */
  in(what: string, how: 'works' | 'given up', say: Say): void {
    const state = this.#out.get(what)!
    state.connections--
    state.isBack ||= how === 'works'
    if (state.connections > 0) return
    this.#out.delete(what)
    if (state.isBack) say(`the broker is back: can ${what} again`)
  }
}
