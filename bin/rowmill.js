#!/usr/bin/env node
// Plain JavaScript for any Node: says which Node is needed before anything newer is loaded.
import { existsSync } from 'node:fs'
import module from 'node:module'

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(
    `rowmill: needs Node 22.18 or later, this is ${process.versions.node}. In a clone, npx and npm run bring their own.\n`,
  )
  process.exit(2)
}
module.enableCompileCache?.()
// A clone runs its sources, a published package the built files.
const source = new URL('../src/cli/main.ts', import.meta.url)
const { main } = await import(
  existsSync(source) ? source.href : new URL('../dist/src/cli/main.js', import.meta.url).href
)
process.exit(await main(process.argv.slice(2)))
