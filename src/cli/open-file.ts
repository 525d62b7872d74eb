import { statSync } from 'node:fs'

/** Whether other users of this machine can read a file. */
export function isOpen(path: string): boolean {
  return process.platform !== 'win32' && (statSync(path).mode & 0o044) !== 0
}

/** What to say of such a file if it holds a secret. */
export function openWarning(path: string): string {
  return `${path} holds a password, and other users of this machine can read it. Run chmod 600 ${path}`
}
