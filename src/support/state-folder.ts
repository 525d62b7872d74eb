import { join, resolve } from 'node:path'
import { homeFolder } from './home-folder.ts'

/** Where programs of this user keep what must survive: not in the cache, and not in a temporary folder. Null: this user has no home. */
export function stateFolder(env: NodeJS.ProcessEnv = process.env): string | null {
  const given = env['XDG_STATE_HOME']
  if (given) return resolve(given)
  const home = homeFolder()
  return home === null ? null : join(home, '.local', 'state')
}
