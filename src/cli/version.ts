import { readFileSync } from 'node:fs'

/** The version in package.json, which lies one folder higher above the built files than above the sources. */
export function version(): string {
  const depth = import.meta.filename.endsWith('.ts') ? '../../package.json' : '../../../package.json'
  return JSON.parse(readFileSync(new URL(depth, import.meta.url), 'utf8')).version
}
