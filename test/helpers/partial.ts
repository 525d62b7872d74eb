import { readdirSync } from 'node:fs'
import { join } from 'node:path'

/** The partial file of an unfinished output, or null if there is none. */
export function partialOf(output: string): string | null {
  const folder = `${output}.rowmill`
  try {
    const name = readdirSync(folder).find(name => name.startsWith('partial-'))
    return name === undefined ? null : join(folder, name)
  } catch {
    return null
  }
}
