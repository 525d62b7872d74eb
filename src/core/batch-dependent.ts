import { type ErrorFacts, RowmillError } from '../errors.ts'

/** The error for a classifier whose result for a row depends on other rows. `where` names the place and what differs. */
export function batchDependent(where: string, facts: ErrorFacts = {}): RowmillError {
  const message =
    `${where}. The classifier looks at other rows of its batch, so OUT would have other bytes than the original job writes. ` +
    'Make the result of a row depend on that row alone: docs/classifiers.md, "What depends on other rows", has the cure of each call'
  return new RowmillError('BATCH_DEPENDENT', message, facts)
}
