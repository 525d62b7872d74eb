import { homedir, userInfo } from 'node:os'

/** Null: without HOME, and without an entry for this user in the passwd file, as in some containers. */
export function homeFolder(): string | null {
  try {
    return homedir() || userInfo().homedir
  } catch {
    return null
  }
}
