import { packageFile } from './package-file.ts'

/** The version in package.json. */
export function version(): string {
  return JSON.parse(packageFile('package.json')).version
}
