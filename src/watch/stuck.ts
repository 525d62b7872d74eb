import type { WaitReason, WaitView } from './view.ts'

/** What does not pass by itself, or nobody knows when. */
const STUCK = new Set<WaitReason>([
  'broker',
  'run-ended',
  'publisher-silent',
  'no-worker',
  'worker-silent',
  'slow-batch',
  'open-transaction',
  'no-leader',
  'no-collector',
  'collector-silent',
])

/** Whether nobody knows when a job that waits for this moves again. */
export function isStuck(waitsFor: WaitView | null): boolean {
  return waitsFor !== null && STUCK.has(waitsFor.reason)
}
