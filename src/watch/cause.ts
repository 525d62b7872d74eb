import type { JobView } from './view.ts'

/** What holds up a job. Two open jobs with the same cause wait for the same thing, and the same command helps both. */
export function causeOf({ id, waitsFor }: JobView): string {
  const { reason, worker = null, partition = null } = waitsFor ?? {}
  switch (reason) {
    case 'broker':
    case 'no-worker':
    case 'no-leader':
      return reason
    case 'worker-silent':
      return worker === null ? `job ${id}` : `worker ${worker}`
    case 'open-transaction':
      return `transaction in partition ${partition}`
    default:
      return `job ${id}`
  }
}
