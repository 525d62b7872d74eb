import { RowmillError } from '../errors.ts'

/** Whether a look fails again, however often one looks. */
export function isFinal(error: unknown): boolean {
  if (!(error instanceof RowmillError) || error.code === 'BROKER_UNREACHABLE') return false
  return isOfTopics(error) || error.code !== 'TOPIC_UNUSABLE'
}

/** Whether a topic was deleted, or made again. An error of the broker that has a cause may pass. */
export function isOfTopics(error: unknown): boolean {
  return error instanceof RowmillError && error.code === 'TOPIC_UNUSABLE' && error.cause === undefined
}
