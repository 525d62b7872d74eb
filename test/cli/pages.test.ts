/** The pages that scripts/cli-pages.ts makes from the tables of options and commands. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { cliPage } from '../../scripts/cli-pages/markdown.ts'
import { manPage } from '../../scripts/cli-pages/roff.ts'
import { configSchema } from '../../scripts/cli-pages/schema.ts'
import { commandOption } from '../../src/cli/command.ts'
import { COMMANDS } from '../../src/cli/commands/index.ts'
import { environmentOf, OPTIONS, type OptionSpec } from '../../src/options.ts'

const ROOT = join(import.meta.dirname, '../..')
const read = (page: string) => readFileSync(join(ROOT, page), 'utf8')

for (const [page, make] of [
  ['docs/cli.md', cliPage],
  ['man/rowmill.1', manPage],
  ['schema/rowmill.schema.json', configSchema],
] as const) {
  test(`${page} is what node scripts/cli-pages.ts makes`, () => assert.equal(read(page), make()))
}

test('docs/cli.md has a section for each command, and a row with the variable for each option', () => {
  const sections = new Map(
    read('docs/cli.md')
      .split(/^## /m)
      .map(section => [section.split('\n', 1)[0]!, section]),
  )
  const shared = sections.get('Options of a shared pipeline')!
  for (const { name, options } of COMMANDS) {
    const section = sections.get(`rowmill ${name}`)!
    for (const option of options) {
      const spec: OptionSpec<unknown> = OPTIONS[option]
      const variable = spec.commandLineOnly ? 'none' : `\`${environmentOf(spec)}\``
      const row = new RegExp(`^\\| .*\`--${spec.flag}[ \`].*\\| ${variable} \\|$`, 'm')
      assert.match(`${section}${shared}`, row, `rowmill ${name} --${spec.flag}`)
    }
    assert.match(section, /Exit codes/)
  }
})

test('no command but run says what run alone does with an option', () => {
  const told = COMMANDS.filter(({ name }) => name !== 'run').flatMap(command =>
    command.options.map(option => `${command.name}: ${commandOption(command, option).doc}`),
  )
  const ofRun = told.filter(text => /\brun (may )?starts?\b/.test(text))
  assert.deepEqual(ofRun, [])
  assert.ok(told.includes('doctor: how many workers you plan to run'))
})

test('the man page has no line that roff mistakes for a request, and a formatter accepts it', t => {
  const macros = new Set(['TH', 'SH', 'SS', 'TP', 'PP', 'br', 'nf', 'fi'])
  for (const line of read('man/rowmill.1').split('\n'))
    if (/^[.']/.test(line)) assert.ok(macros.has(line.slice(1).split(' ')[0]!), line)
  const groff = spawnSync('groff', ['-man', '-Tascii', '-P-cbu', '-ww', join(ROOT, 'man/rowmill.1')], {
    encoding: 'utf8',
  })
  if (groff.error) return t.diagnostic('there is no groff here')
  assert.deepEqual([groff.status, groff.stderr], [0, ''])
  assert.match(groff.stdout, /--batch-rows N/)
})
