import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { GROUPS } from '../../src/cli/commands/files.ts'
import { COMMANDS } from '../../src/cli/commands/index.ts'
import { bashCompletion } from '../../src/cli/completion/bash.ts'
import { fishCompletion } from '../../src/cli/completion/fish.ts'
import { completionTable } from '../../src/cli/completion/table.ts'
import { zshCompletion } from '../../src/cli/completion/zsh.ts'
import { OPTIONS } from '../../src/options.ts'

const TABLE = completionTable(COMMANDS, GROUPS)

/** A folder with the files rows.csv and `two words.csv`. */
function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'rowmill-test-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  for (const name of ['rows.csv', 'two words.csv']) writeFileSync(join(folder, name), '')
  return folder
}

/** What bash offers for the last word of this line. */
function bash(words: readonly string[], cwd?: string, before?: string): string[] {
  return bashEach([words], cwd, before)[0]!
}

/** The same for many lines, in one process. */
function bashEach(lines: readonly (readonly string[])[], cwd?: string, before = 'compopt() { :; }\n'): string[][] {
  const quoted = lines.map(words => words.map(word => `'${word}'`).join(' '))
  const script = `${before}${bashCompletion(TABLE)}
offer() { COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=(); _rowmill; printf '%s\\n' "\${COMPREPLY[@]}" 'end of line'; }
${quoted.map(words => `offer rowmill ${words}`).join('\n')}`
  const { status, stdout, stderr } = spawnSync('bash', ['--norc', '-c', script], { encoding: 'utf8', cwd })
  assert.deepEqual([status, stderr], [0, ''])
  const offered = stdout.split('end of line\n').map(part => part.split('\n').filter(line => line !== ''))
  return offered.slice(0, lines.length)
}

test('bash completes commands, commands of a group, options, and the values of options', () => {
  const first = new Set(COMMANDS.map(({ name }) => name.split(' ')[0]!))
  assert.deepEqual(bash(['']).sort(), [...first, 'help'].sort())
  assert.deepEqual(bash(['-']).sort(), ['--help', '--version', '-V', '-h'])
  const expected = {
    'help jo': ['jobs'],
    'help jobs li': ['list'],
    'help jobs list ': [],
    'jobs list --boot': ['--bootstrap-server'],
    'jobs list --bootstrap-server ': [],
    'jobs list -V': ['-V'],
    'run --index-kind f': ['float'],
    co: ['collect', 'completion'],
    'jobs ': ['open', 'list', 'cancel', 'rm'],
    'jobs list --o': ['--output'],
    'jobs list --cas': [],
    'jobs list -o ': ['text', 'json'],
    'publish rows.csv --compression z': ['zstd'],
    'run --workers ': [],
    'completion b': ['bash'],
  }
  const lines = Object.keys(expected)
  const offered = bashEach(lines.map(line => line.split(' ')))
  assert.deepEqual(Object.fromEntries(lines.map((line, i) => [line, offered[i]])), expected)
  const options = bashEach(COMMANDS.map(({ name }) => [...name.split(' '), '-']))
  for (const [i, command] of COMMANDS.entries())
    for (const option of command.options)
      assert.ok(options[i]!.includes(`--${OPTIONS[option].flag}`), `${command.name} ${option}`)
})

test('bash completes a value after an equals sign, whether or not bash splits words there', t => {
  const folder = folderOf(t)
  assert.deepEqual(bash(['run', '--compression', '=', 'z']), ['zstd'])
  assert.deepEqual(bash(['run', '--compression', '=']), ['none', 'gzip', 'snappy', 'lz4', 'zstd'])
  assert.deepEqual(bash(['run', '--compression=z']), ['--compression=zstd'])
  assert.deepEqual(bash(['run', '--classifier', '=', 'r'], folder), ['rows.csv'])
  assert.deepEqual(bash(['run', '--classifier=r'], folder), ['--classifier=rows.csv'])
})

test('bash treats a word as a file name only where it completes files', t => {
  const folder = folderOf(t)
  for (const name of ['jobs', 'list', 'json']) mkdirSync(join(folder, name))
  const treats = (words: string[]) => bash(words, folder, 'compopt() { printf "compopt %s %s\\n" "$@"; }\n')
  assert.doesNotMatch(bashCompletion(TABLE), /^complete .*filenames/m)
  assert.deepEqual(treats(['jo']), ['jobs'])
  assert.deepEqual(treats(['jobs', 'li']), ['list'])
  assert.deepEqual(treats(['jobs', 'list', '-o', 'j']), ['json'])
  assert.deepEqual(treats(['run', 'j']).sort(), ['compopt -o filenames', 'jobs', 'json'])
  assert.deepEqual(treats(['run', '--j']), ['--job'])
})

test('bash completes file names where a command or an option takes a file', t => {
  const folder = folderOf(t)
  assert.deepEqual(bash(['run', 'r'], folder), ['rows.csv'])
  assert.deepEqual(bash(['run', 'two'], folder), ['two words.csv'])
  assert.deepEqual(bash(['run', '--classifier', 'rows'], folder), ['rows.csv'])
  assert.deepEqual(bash(['jobs', 'list', 'r'], folder), [])
})

test('zsh accepts its script, and knows every option of every command', t => {
  const script = zshCompletion(TABLE)
  for (const { name, options } of COMMANDS) {
    const [, part] = script.split(`    ('${name}')\n`)
    const own = part!.split('      ;;\n', 1)[0]!
    for (const option of options) assert.ok(own.includes(`--${OPTIONS[option].flag}[`), `${name} ${option}`)
  }
  const zsh = spawnSync('zsh', ['-n'], { input: script, encoding: 'utf8' })
  if (zsh.error) return t.diagnostic('there is no zsh here')
  assert.deepEqual([zsh.status, zsh.stderr], [0, ''])
})

test('fish completes commands, options and values', t => {
  const script = fishCompletion(TABLE)
  for (const { name, options } of COMMANDS)
    for (const option of options) {
      const { flag } = OPTIONS[option]
      const line = script.split('\n').find(line => line.includes(`'__rowmill_is ${name}' -l ${flag} `))
      assert.ok(line, `${name} --${flag}`)
    }
  const offered = (line: string) => {
    const fish = spawnSync('fish', ['--no-config', '-c', `${script}\ncomplete -C '${line}'`], { encoding: 'utf8' })
    if (fish.error) return null
    assert.deepEqual([fish.status, fish.stderr], [0, ''])
    return fish.stdout.split('\n').flatMap(found => (found === '' ? [] : [found.split('\t')[0]]))
  }
  assert.match(script, /^complete -c rowmill -n '__rowmill_is help jobs' -f -a list /m)
  assert.match(script, /^complete -c rowmill -n '__rowmill_is' -l version -s V /m)
  assert.match(script, / -l brokers -l bootstrap-server -s b /)
  if (offered('rowmill ') === null) return t.diagnostic('there is no fish here')
  assert.deepEqual(offered('rowmill jobs '), ['cancel', 'list', 'open', 'rm'])
  assert.deepEqual(offered('rowmill jobs list -o '), ['json', 'text'])
  assert.deepEqual(offered('rowmill jobs list --outp'), ['--output'])
  assert.deepEqual(offered('rowmill jobs list --cas'), [])
})
