import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import type { Command } from 'commander'
import { PICTURES } from '../scripts/draw-pictures.ts'
import { SCREENSHOTS } from '../scripts/screenshots.ts'
import { LOCAL_KAFKA } from '../src/broker/jvm/kafka-release.ts'
import { COMMANDS } from '../src/cli/commands/index.ts'
import { makeProgram } from '../src/cli/program.ts'
import { ERRORS, type ErrorCode } from '../src/errors.ts'
import { OPTIONS } from '../src/options.ts'
import { rowmill } from './helpers/cli.ts'
import { OLDER_KAFKA } from './helpers/older-kafka.ts'

const ROOT = join(import.meta.dirname, '..')
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')
const PAGES = globSync('**/*.md', {
  cwd: ROOT,
  exclude: ['**/node_modules/**', '.venv/**', 'demo/**', 'test/**', 'dist/**'],
})

/** What these arguments print. Commander throws after it printed a help text. */
function helpOf(args: readonly string[]): string {
  let printed = ''
  const print = (command: Command) => {
    command.configureOutput({
      writeOut: text => {
        printed += text
      },
    })
    command.commands.forEach(print)
  }
  const program = makeProgram(
    COMMANDS,
    () => {},
    () => ({}),
  )
  print(program)
  assert.throws(() => program.parse(args, { from: 'user' }), { code: 'commander.helpDisplayed' })
  return printed
}

test('docs/cli.md has a row for every option, and the help names it', () => {
  const page = read('docs/cli.md')
  const help = COMMANDS.map(({ name }) => helpOf([...name.split(' '), '--help'])).join('')
  for (const { flag } of Object.values(OPTIONS)) {
    assert.match(page, new RegExp(`^\\| [^|]*\`--${flag}[ \`]`, 'm'))
    assert.match(help, new RegExp(`--${flag}\\b`))
  }
})

/** The words of docs/errors.md for how a job resumes after an error. */
const RESUME = {
  resume: 'the same command',
  repair: 'after a repair',
  'repair-replay': 'after a repair, in a later attempt only',
  never: 'no',
}

test('docs/errors.md explains every error code: exit code, how the job resumes, cause, cure and an example', () => {
  const [, ...sections] = read('docs/errors.md').split(/^### /m)
  const explained = sections.map(section => section.split('\n', 1)[0])
  assert.deepEqual(explained.sort(), Object.keys(ERRORS).sort())
  for (const section of sections) {
    const [code, facts] = section.split('\n') as [ErrorCode, string]
    const { exit, after } = ERRORS[code]
    assert.equal(facts, `Exit ${exit} · resume: ${RESUME[after]}`, code)
    assert.match(section, /\n\n\S.*\n\n- \*\*Cause:\*\* .*- \*\*Cure:\*\* .*- \*\*Example:\*\* `/s, code)
  }
})

test('the README is short: below 6,000 bytes', () => {
  assert.ok(Buffer.byteLength(read('README.md')) < 6000)
})

test('the README names the versions that the tests run with', () => {
  const versions = [
    `Kafka ${LOCAL_KAFKA.version} and ${OLDER_KAFKA.version} `,
    `Node ${JSON.parse(read('package.json')).devDependencies.node}`,
    `pandas ${/^pandas==(\S+)$/m.exec(read('examples/requirements.txt'))![1]}`,
    `confluent-kafka ${/^confluent-kafka==(\S+)$/m.exec(read('test/requirements.txt'))![1]}`,
    `franz-go ${/\/franz-go v(\S+)$/m.exec(read('test/fixtures/franz-go/go.mod'))![1]}`,
  ]
  const [tested] = /^5\. Tested on Linux .*/m.exec(read('README.md'))!
  assert.deepEqual(
    versions.filter(version => !tested.includes(version)),
    [],
  )
})

test('each picture is what scripts/draw-pictures.ts draws or a small screenshot of scripts/screenshots.ts, and a page shows it', () => {
  const pages = PAGES.map(read).join()
  assert.deepEqual(
    globSync('docs/pictures/*', { cwd: ROOT }).sort(),
    [...Object.keys(PICTURES), ...Object.keys(SCREENSHOTS)].map(name => `docs/pictures/${name}`).sort(),
  )
  for (const [name, svg] of Object.entries(PICTURES)) {
    assert.equal(read(`docs/pictures/${name}`), svg, `${name}: run node scripts/draw-pictures.ts`)
    assert.ok(pages.includes(`pictures/${name})`), name)
  }
  for (const name of Object.keys(SCREENSHOTS)) {
    assert.ok(statSync(join(ROOT, 'docs/pictures', name)).size < 150_000, name)
    assert.ok(pages.includes(`pictures/${name}`), name)
  }
})

/** The anchor that GitHub and npm make from a heading: the part of a link after #. */
function anchorsOf(page: string): string[] {
  const headings = read(page)
    .replaceAll(/^```.*?^```$/gms, '')
    .matchAll(/^#+ (.+)$/gm)
  return [...headings].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-'),
  )
}

test('every page and heading that a page links to exists', () => {
  for (const page of PAGES) {
    for (const [, target, anchor] of read(page).matchAll(/\]\(([^)#:]*)(?:#([^)]*))?\)/g)) {
      const file = target ? join(dirname(page), target) : page
      assert.ok(existsSync(join(ROOT, file)), `${page} links to ${target}`)
      if (anchor) assert.ok(anchorsOf(file).includes(anchor), `${page} links to ${target}#${anchor}`)
    }
  }
})

test('docs/glossary.md is the glossary of src/model.ts', () => {
  const [, head] = /^ \*\n((?: \* (?:\S| {16}).*\n)+) \*\n/m.exec(read('src/model.ts'))!
  const terms = [...head!.matchAll(/^ \* (\S.*?) {2,}(.*\n(?: \* {3,}.*\n)*)/gm)].map(([, word, meaning]) => [
    word!,
    meaning!.replaceAll(/\n( \* +)?/g, ' ').trim(),
  ])
  const rows = [...read('docs/glossary.md').matchAll(/^\| (.*?) \| (.*) \|$/gm)].map(([, word, meaning]) => [
    word!,
    meaning!,
  ])
  assert.ok(terms.length > 20)
  assert.deepEqual(rows.slice(1), terms)
})

test('every file:function and every file that a page names exists', () => {
  for (const page of PAGES) {
    for (const [, file, name] of read(page).matchAll(
      /`((?:src|connectors|scripts|test|examples)\/[\w/.-]+\.(?:ts|py|json))(?::([\w.#]+))?`/g,
    )) {
      assert.ok(existsSync(join(ROOT, file!)), `${page} names ${file}`)
      const source = read(file!)
      for (const part of name?.split('.') ?? []) assert.ok(source.includes(part), `${page}: ${file} has ${part}`)
    }
  }
})

test('--help shows an example, --version the version of the package', async () => {
  assert.match(helpOf(['run', '--help']), /Example:\n {2}rowmill run /)
  const version = await rowmill(['--version'])
  assert.equal(version.stdout.trim(), JSON.parse(read('package.json')).version)
})

const sources = (folder: string) =>
  globSync(`${folder}/**/*.ts`, { cwd: ROOT, exclude: ['**/node_modules/**', '**/*.d.ts'] }).sort()
const importing = (files: string[], pattern: RegExp) => files.filter(file => pattern.test(read(file)))

test('only src/kafka imports KafkaJS, and connectors import nothing of src but the SDK, the rules of pandas, its reader and support', async () => {
  const sdk = await import('../src/index.ts')
  const outside = [...sources('src'), ...sources('connectors')].filter(file => !file.startsWith('src/kafka/'))
  assert.deepEqual(importing(outside, /\b(from|import|require)[ (]+'@?kafkajs/), [])
  assert.deepEqual(
    importing(
      sources('connectors'),
      /from '(\.\.\/)+src\/(?!index\.ts|errors\.ts|model\.ts|pandas\/|python\/|support\/)/,
    ),
    [],
  )
  // They take values of the SDK from the two files that have them, so that `run` starts before all of the SDK is loaded.
  const taken = sources('connectors').flatMap(file =>
    [...read(file).matchAll(/\{([^}]*)\} from '(?:\.\.\/)+src\/(?:errors|model)\.ts'/g)].flatMap(([, names]) =>
      names!.split(',').map(name => name.trim()),
    ),
  )
  assert.deepEqual([...new Set(taken)].filter(name => !(name in sdk)).sort(), [])
})

test('only src/kafka and five tests name private modules of KafkaJS', () => {
  const all = ['src', 'connectors', 'bench', 'scripts', 'examples', 'test'].flatMap(sources)
  const named = importing(all, /'kafkajs\/src/)
  assert.ok(named.some(file => file === 'src/kafka/client.ts'))
  assert.deepEqual(
    named.filter(file => !file.startsWith('src/kafka/')),
    [
      'test/helpers/codecs.ts',
      'test/kafka/checksum.test.ts',
      'test/kafka/fetch-request.test.ts',
      'test/kafka/produce-request.test.ts',
      'test/support/clock.integration.ts',
    ],
  )
})
