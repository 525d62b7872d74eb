/** What a user gets: `npm pack` of this clone, installed into an empty folder and used there. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import * as connectors from '../../connectors/index.ts'
import * as sdk from '../../src/index.ts'
import { brokerAddress } from '../helpers/broker.ts'
import { startProgram, testFolder } from '../helpers/cli.ts'
import { ask } from '../helpers/http.ts'
import { installRowmill, ROOT, succeeded } from '../helpers/installed.ts'
import { olderNode } from '../helpers/older-node.ts'
import { python } from '../helpers/python.ts'
import { serialJob } from '../helpers/serial.ts'

const CLASSIFIERS = join(import.meta.dirname, '../fixtures/classifiers.py')
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))

const { home, tarball, run: inHome, compile, remove } = await installRowmill()
after(remove)
const rowmill = join(home, 'node_modules/.bin/rowmill')

/** Every file below a folder of the clone; Python leaves its caches beside what it imports. */
function filesOf(name: string): string[] {
  return readdirSync(join(ROOT, name), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(ROOT.length + 1))
    .filter(path => !path.includes('__pycache__'))
}

test('the package holds the built sources, each file beside them, and nothing else', async () => {
  const packed = succeeded(await inHome('tar', ['-tzf', tarball]))
  const built = [...filesOf('src'), ...filesOf('connectors')]
    .filter(path => !path.endsWith('.d.ts'))
    .flatMap(path => (path.endsWith('.ts') ? [path.replace(/ts$/, 'js'), path.replace(/ts$/, 'd.ts')] : [path]))
    .map(path => `dist/${path}`)
  const texts = ['CHANGELOG.md', 'CONTRIBUTING.md', 'DESIGN.md', 'LICENSE', 'README.md', 'SECURITY.md', 'package.json']
  const expected = [
    ...built,
    ...texts,
    ...filesOf('bin'),
    ...filesOf('man'),
    ...filesOf('schema'),
    ...filesOf('docs'),
    ...filesOf('examples'),
  ]
  assert.deepEqual(packed.trim().split('\n').sort(), expected.map(path => `package/${path}`).sort())
  for (const extension of ['.py', '.avsc']) assert.ok(built.some(path => path.endsWith(extension)))
})

test('the installed command prints its version, what an error code means, and the help of its parts', async () => {
  assert.equal(succeeded(await inHome(rowmill, ['--version'])), `${version}\n`)
  assert.match(succeeded(await inHome(rowmill, ['explain', 'TIMEOUT'])), /^TIMEOUT\nExit 124 /)
  for (const part of ['publish', 'work', 'collect', 'broker'])
    assert.match(succeeded(await inHome(rowmill, [part, '--help'])), new RegExp(`^Usage: rowmill ${part} `))
})

test('npx rowmill run writes the bytes of the original job', async () => {
  const rows = Array.from({ length: 500 }, (_, i) => `${i},${i % 7},"quoted, ${i}"\n`)
  const input = join(home, 'rows.csv')
  writeFileSync(input, `ID,A,B\n${rows.join('')}`)
  const classifier = `${CLASSIFIERS}:a_float`
  const args = ['run', 'rows.csv', 'out.csv', '--classifier', classifier, '--brokers', await brokerAddress()]
  // `--no`: a missing package must not be downloaded under this name.
  succeeded(await inHome('npx', ['--no', '--', 'rowmill', ...args, '--workers', '2']))
  assert.equal(readFileSync(join(home, 'out.csv'), 'utf8'), await serialJob(input, classifier))
})

test('the installed monitor serves its page with the chart that draws it', async t => {
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: 'of-the-package' }
  succeeded(await inHome(rowmill, ['topics', 'apply', '--partitions', '1'], { env }))
  const { child } = startProgram(rowmill, ['monitor', '--port', '0'], { cwd: home, env })
  t.after(() => child.kill('SIGKILL'))
  const [url] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  assert.match((await ask(`${url}/`)).body, /^<!doctype html>/)
  for (const path of ['/page.js', '/uplot/uplot.js']) assert.equal((await ask(`${url}${path}`)).status, 200, path)
})

test('--schema-registry names the package it needs, and changes nothing', async () => {
  writeFileSync(join(home, 'one.csv'), 'ID,A\n1,x\n')
  const files = ['one.csv', 'registry.csv', '--classifier', `${CLASSIFIERS}:a_text`]
  const place = ['--brokers', await brokerAddress(), '--schema-registry', 'http://127.0.0.1:1']
  const { code, stderr } = await inHome(rowmill, ['run', ...files, ...place])
  assert.equal(code, 2, stderr)
  assert.match(
    stderr,
    /^rowmill: --schema-registry needs .*: npm install @kafkajs\/confluent-schema-registry@4 .*\[USAGE\]$/m,
  )
  assert.ok(!existsSync(join(home, 'registry.csv')))
})

/** A custom source and sink; a local broker, which the package must be able to start too. */
const PROGRAM = `
import { type ErrorCode, openJob, results, RowmillError, run, type RunOptions, type Sink, type Source, type Values } from 'rowmill'

const written: Values[] = []
let closed = 0
const source: Source = {
  open: async () => ({ columns: ['ID', 'A'], indexKind: null, identity: null, total: 2, options: [] }),
  rows: async function* () {
    yield { rows: [['1', 'x'], ['2', 'y']], lines: [2, 3] }
  },
  close: async () => void closed++,
}
const sink: Sink = {
  open: async () => null,
  begin: async () => {},
  write: async rows => void written.push(...rows),
  restart: async () => {},
  checkpoint: async () => {},
  commit: async () => {},
  close: async () => {},
}
const options: RunOptions = {
  ...{ source, sink, classifier: ${JSON.stringify(`${CLASSIFIERS}:a_text`)}, python: ${JSON.stringify(python)} },
  workers: 1,
}
const code: ErrorCode = new RowmillError('USAGE', 'nothing is wrong').code
// @ts-expect-error What the types refuse: they are no \`any\`.
export const wrong = () => run({ ...options, workers: 'two' })
export const stream = async (brokers: string[]): Promise<(number | null)[]> => {
  await using job = await openJob({ brokers, id: 'j', columns: ['ID'] })
  const seqs: (number | null)[] = [await job.send({ ID: 1 }), await job.send(['2'])]
  for await (const batch of results({ brokers, job: 'j' })) seqs.push(...batch.rows.map(({ seq }) => seq))
  return seqs
}
const { rows } = await run(options)
console.log(JSON.stringify({ code, rows, closed, written, exports: Object.keys(await import('rowmill')) }))
`

test('a typed program needs no other types, runs a job, and finds what the SDK exports', async () => {
  writeFileSync(join(home, 'program.mts'), PROGRAM)
  await compile(['program.mts'])
  const { code, rows, closed, written, exports } = JSON.parse(
    succeeded(await inHome(process.execPath, ['program.mts'])),
  )
  assert.deepEqual([code, rows, closed, written.map(([index]: string[]) => index)], ['USAGE', 2, 1, ['1', '2']])
  assert.deepEqual(exports, Object.keys(sdk))
})

/** The source and the sink of the command line, in a program. */
const CONNECTORS = `
import { run } from 'rowmill'
import { CsvSource, FileSink, type FileSinkOptions, tcpAddress, type TcpAddress } from 'rowmill/connectors'

const to: FileSinkOptions = { path: 'connected.csv', force: false }
// @ts-expect-error What the types refuse: they are no \`any\`.
export const wrong = () => new FileSink({ path: 1 })
const source = new CsvSource({ path: 'rows.csv', readCsv: {}, delimiter: null, indexKind: null })
const { rows } = await run({
  source,
  sink: new FileSink(to),
  classifier: ${JSON.stringify(`${CLASSIFIERS}:a_text`)},
  python: ${JSON.stringify(python)},
  workers: 1,
  brokers: [process.env['ROWMILL_BROKERS']!],
})
const address: TcpAddress | null = tcpAddress('tcp://:5001')
console.log(JSON.stringify({ rows, address, exports: Object.keys(await import('rowmill/connectors')) }))
`

test('a typed program runs a file with rowmill/connectors, and finds what that exports', async () => {
  writeFileSync(join(home, 'connectors.mts'), CONNECTORS)
  await compile(['connectors.mts'], { node: true })
  const input = join(home, 'rows.csv')
  writeFileSync(input, 'ID,A\n1,x\n2,y\n')
  const { rows, address, exports } = JSON.parse(
    succeeded(await inHome(process.execPath, ['connectors.mts'], { env: { ROWMILL_BROKERS: await brokerAddress() } })),
  )
  assert.deepEqual([rows, address], [2, { host: '127.0.0.1', port: 5001 }])
  assert.equal(readFileSync(join(home, 'connected.csv'), 'utf8'), await serialJob(input, `${CLASSIFIERS}:a_text`))
  assert.deepEqual(exports, Object.keys(connectors))
})

/** What a user's own test of a classifier looks like. */
const KIT = `
import { type Classifier, differsByCut, type SinkContract, testClassifier, testPipeline, testSink, testSource, type TestResult } from 'rowmill/testing'

const classifier: Classifier = rows => rows.map(([id, a]) => [id, a!.toUpperCase()])
const rows = [['1', 'x'], ['2', 'y']]
const here: TestResult = await testPipeline({ classifier, columns: ['ID', 'A'], rows })
const python = await testPipeline({
  ...{ classifier: ${JSON.stringify(`${CLASSIFIERS}:a_text`)}, python: ${JSON.stringify(python)} },
  ...{ columns: ['ID', 'A'], rows },
})
// @ts-expect-error What the types refuse: they are no \`any\`.
export const wrong = () => testPipeline({ classifier, columns: ['ID'], rows: [[1]] })
const differs = await differsByCut({ classifier, columns: ['ID', 'A'], rows })
await testClassifier({ classifier, columns: ['ID', 'A'], rows })
export const suites = (contract: SinkContract) => [testSink(contract), testSource]
console.log(JSON.stringify({ here: here.rows, python: python.rows.length, differs }))
`

test('a typed program tests classifiers in both languages with rowmill/testing', async () => {
  writeFileSync(join(home, 'kit.mts'), KIT)
  await compile(['kit.mts'])
  const said = JSON.parse(succeeded(await inHome(process.execPath, ['kit.mts'])))
  assert.deepEqual(said, {
    here: [
      ['1', 'X'],
      ['2', 'Y'],
    ],
    python: 2,
    differs: null,
  })
})

test('without Java and the optional package, the installed command names every solution', async t => {
  const bin = testFolder(t)
  symlinkSync(process.execPath, join(bin, 'node'))
  const { code, stdout, stderr } = await inHome(rowmill, ['broker'], { env: { PATH: bin, JAVA_HOME: undefined } })
  assert.deepEqual([code, stdout], [3, ''])
  assert.match(
    stderr,
    /^rowmill: the local Kafka needs Java.*npm package testcontainers is not installed \[BROKER_NO_JAVA\]\n$/,
  )
})

test('an older Node gets one line with the version it needs, and exit 2', async () => {
  const node = await olderNode()
  const found = succeeded(await inHome(node, ['--version']))
    .trim()
    .slice(1)
  const { code, stdout, stderr } = await inHome(node, [rowmill, '--version'])
  assert.deepEqual([code, stdout, stderr], [2, '', `rowmill: needs Node 22.18 or later, this is ${found}.\n`])
})

test('npm install in a clone prints no warning, under a Node that is too old to run rowmill', async t => {
  const clone = testFolder(t)
  for (const file of ['package.json', 'package-lock.json']) await cp(join(ROOT, file), join(clone, file))
  const PATH = [dirname(await olderNode()), process.env['PATH']].join(delimiter)
  const install = ['install', '--dry-run', '--prefer-offline', '--no-audit', '--no-fund']
  const { code, stdout, stderr } = await inHome('npm', install, { cwd: clone, env: { PATH } })
  assert.equal(code, 0, stderr)
  assert.match(stdout, /^added \d+ packages/m)
  assert.doesNotMatch(stderr, /warn/i)
})

test('with sources beside built files, as in a clone, the sources run', async t => {
  const clone = testFolder(t)
  await cp(join(ROOT, 'bin'), join(clone, 'bin'), { recursive: true })
  writeFileSync(join(clone, 'package.json'), '{ "type": "module" }')
  for (const [file, says] of [
    ['src/cli/main.ts', 'sources'],
    ['dist/src/cli/main.js', 'built files'],
  ] as const) {
    mkdirSync(dirname(join(clone, file)), { recursive: true })
    writeFileSync(join(clone, file), `export const main = () => { console.log('${says}'); return 0 }\n`)
  }
  const run = async () => succeeded(await inHome(process.execPath, [join(clone, 'bin/rowmill.js')]))
  assert.equal(await run(), 'sources\n')
  rmSync(join(clone, 'src'), { recursive: true })
  assert.equal(await run(), 'built files\n')
})
