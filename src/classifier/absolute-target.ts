import { existsSync } from 'node:fs'
import { resolve } from 'node:path'

/** What `--classifier` names, for a command in any folder of this machine. A module of Python keeps its name. */
export function absoluteTarget(target: string): string {
  const [, file, name = ''] = /^(.+?)(:[^:/\\]+)?$/.exec(target) ?? []
  return file !== undefined && existsSync(file) ? `${resolve(file)}${name}` : target
}
