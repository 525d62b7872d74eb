import { randomBytes } from 'node:crypto'

/** An id that no other job has: the time, so that people can read it, and a random part. */
export function newJobId(): string {
  const time = new Date().toISOString().replaceAll(/[-:]|\..*/g, '')
  return `${time}-${randomBytes(3).toString('hex')}`
}
