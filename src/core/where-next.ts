/** When a classifier would be done with one more batch. */
export interface Candidate {
  /** How long until it has answered what it has. */
  readonly freeInMs: number
  /** How long one more batch takes. */
  readonly batchMs: number
}

export interface Choice<Lender extends Candidate> {
  readonly own: Candidate
  /** Whether our own classifier takes a batch now. */
  readonly ownHasRoom: boolean
  /** Lenders that take a batch now. */
  readonly offered: readonly Lender[]
  /** Lenders that have batches of ours. They will take more. */
  readonly atWork: readonly Lender[]
  /** How many batches wait. Infinity: many. */
  readonly batches: number
}

/**
 * Which classifier gets the next batch: our own, a lender, or for now none. None of them starts a batch that the others
 * would get through sooner, together with all other batches that wait. So a slow classifier does not get the last batch.
 */
export function whereNext<Lender extends Candidate>({
  own,
  ownHasRoom,
  offered,
  atWork,
  batches,
}: Choice<Lender>): 'own' | Lender | null {
  const lenders = [...offered, ...atWork]
  const byLenders = lenders.map(({ freeInMs, batchMs }) => freeInMs + (batchMs * batches) / lenders.length)
  if (ownHasRoom && endOf(own) <= Math.min(...byLenders)) return 'own'
  const [first] = [...offered].sort((a, b) => endOf(a) - endOf(b))
  return first && endOf(first) <= own.freeInMs + own.batchMs * batches ? first : null
}

function endOf({ freeInMs, batchMs }: Candidate): number {
  return freeInMs + batchMs
}
