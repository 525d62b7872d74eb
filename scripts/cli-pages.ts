/** Writes docs/cli.md, man/rowmill.1 and schema/rowmill.schema.json from the tables of options and commands. test/cli/pages.test.ts compares them. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { cliPage } from './cli-pages/markdown.ts'
import { manPage } from './cli-pages/roff.ts'
import { configSchema } from './cli-pages/schema.ts'

const PAGES = { 'docs/cli.md': cliPage, 'man/rowmill.1': manPage, 'schema/rowmill.schema.json': configSchema }

for (const [page, make] of Object.entries(PAGES)) {
  const path = join(import.meta.dirname, '..', page)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, make())
}
