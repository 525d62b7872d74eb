import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'

/** A name that no other process and no other call gets: host, pid and random bytes. */
export function uniqueName(): string {
  return `${hostname()}/${process.pid}/${randomBytes(6).toString('hex')}`
}
