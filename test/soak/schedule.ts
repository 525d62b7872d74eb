/** Which fault comes when: a function of the seed alone. */

export const KINDS = [
  'kill -9 publisher',
  'kill -9 collector',
  'kill -9 producer of live rows',
  'kill -9 collector of live rows',
  'kill -9 worker process',
  'kill -9 Python child',
  'kill -9 work',
  'SIGTERM work, start again',
  'freeze worker past its session',
  'kill -9 broker, restart',
  'freeze broker',
  'second work joins and leaves',
] as const
export type Kind = (typeof KINDS)[number]

export interface Fault {
  readonly kind: Kind
  /** Since the start. It comes later if its victim is missing, or has another fault of this kind. */
  readonly atMs: number
  /** From 0 to 1, exclusive: which victim. */
  readonly pick: number
  /** From 0 to 1, exclusive: how long it lasts, within the bounds of its kind. */
  readonly length: number
}

const FIRST_MS = 4000
/** From one fault to the next. */
const [SHORTEST_MS, LONGEST_MS] = [4000, 9000]

/** Every kind once in every round, in another order each time. */
export function schedule(seed: number, durationMs: number): Fault[] {
  const random = randomFrom(seed)
  const faults: Fault[] = []
  let kinds: Kind[] = []
  for (let atMs = FIRST_MS; atMs < durationMs; atMs += SHORTEST_MS + random() * (LONGEST_MS - SHORTEST_MS)) {
    if (kinds.length === 0) kinds = shuffled(KINDS, random)
    faults.push({ kind: kinds.pop()!, atMs, pick: random(), length: random() })
  }
  return faults
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const left = [...items]
  const order: T[] = []
  while (left.length > 0) order.push(...left.splice(Math.floor(random() * left.length), 1))
  return order
}

/** Numbers from 0 to 1, exclusive: a 32-bit linear congruential generator, of which the high bits are used. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return (state >>> 8) / 2 ** 24
  }
  for (let i = 0; i < 8; i++) next() // adjacent seeds begin with similar numbers
  return next
}
