import { readdirSync, readFileSync } from 'node:fs'

/** The flag O_CLOEXEC of Linux on every processor that Node runs on. */
const CLOSED_IN_CHILDREN = 0o2000000

/**
 * The numbers above 2 of the open files that this process got from its parent, and would pass on to its children. Node closes such
 * files in children only as far as their numbers follow each other, or are below 16. Elsewhere than on Linux it closes them all.
 */
export function inheritableFiles(): number[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter(file => file > 2 && isInheritable(file))
}

function isInheritable(file: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${file}`, 'utf8'))?.[1]
    return flags !== undefined && (Number.parseInt(flags, 8) & CLOSED_IN_CHILDREN) === 0
  } catch {
    return false // it was the folder itself, which is closed by now
  }
}
