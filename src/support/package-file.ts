import { readFileSync } from 'node:fs'

/** A text file of the package, such as docs/errors.md. Its root is one folder further up from dist/ than from src/. */
export function packageFile(path: string): string {
  const root = import.meta.filename.endsWith('.ts') ? '../../' : '../../../'
  return readFileSync(new URL(`${root}${path}`, import.meta.url), 'utf8')
}
