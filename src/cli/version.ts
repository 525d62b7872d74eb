import { readFileSync } from 'node:fs'

/** The version in package.json, which is one folder further up from the built files than from the sources. */
export function version(): string {
  const depth = import.meta.filename.endsWith('.ts') ? '../../package.json' : '../../../package.json'
  return JSON.parse(readFileSync(new URL(depth, import.meta.url), 'utf8')).version
}
