/** A command line loads only the commands that begin with its first word. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commandsOf } from '../../src/cli/commands/files.ts'
import { COMMANDS } from '../../src/cli/commands/index.ts'
import { rowmill } from '../helpers/cli.ts'

const WORDS = [...new Set(COMMANDS.map(({ name }) => name.split(' ')[0]!))]

test('the commands of each first word are those of the help; only completion needs all of them', async () => {
  for (const word of WORDS.filter(word => word !== 'completion')) {
    const wanted = COMMANDS.filter(({ name }) => name === word || name.startsWith(`${word} `))
    assert.deepEqual(await commandsOf(word), wanted, word)
  }
  for (const word of ['completion', 'help', '--help', 'toString', undefined]) assert.equal(await commandsOf(word), null)
})

test('help and words about a wrong command line know the commands that were not loaded', async () => {
  const { code, stderr } = await rowmill(['run', 'in.csv', 'out.csv', '--follow'])
  assert.equal(code, 2)
  assert.match(
    stderr,
    /^rowmill: run has no option --follow\. These commands have it: collect, status\.[^\n]*\[USAGE\]\n$/,
  )
  const help = await rowmill(['explain', '--help'])
  assert.deepEqual({ code: help.code, stderr: help.stderr }, { code: 0, stderr: '' })
  assert.match(help.stdout, /^Usage: rowmill explain /)
})
