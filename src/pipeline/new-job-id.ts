import { randomBytes } from 'node:crypto'

/** An id no other job has: the time, for people, and chance. */
export function newJobId(): string {
  const time = new Date().toISOString().replaceAll(/[-:]|\..*/g, '')
  return `${time}-${randomBytes(3).toString('hex')}`
}
