import { resolve } from 'node:path'
import type { ClientInput } from '../options.ts'
import { isSecretProperty } from '../support/property-text.ts'

/** How to reach a cluster, without passwords, for a command in any folder: no file of rowmill holds a password. */
export function publicProperties(property: readonly ClientInput[]): ClientInput[] {
  return property
    .filter(input => 'file' in input || !isSecretProperty(input))
    .map(input => ('file' in input ? { file: resolve(input.file) } : input))
}
