import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'

/** A name that no other process, and no other call in this one, gives itself: host, pid and chance. */
export function uniqueName(): string {
  return `${hostname()}/${process.pid}/${randomBytes(6).toString('hex')}`
}
