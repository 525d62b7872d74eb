/** The source that reads with the call of the original program, over a stand-in for its Python process. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { PandasSource } from '../../connectors/pandas-source.ts'
import type { Values } from '../../src/model.ts'
import { PandasReader } from '../../src/python/pandas-reader.ts'
import { testSource } from '../../src/testing.ts'
import { testFolder } from '../helpers/cli.ts'
import { descendants, untilGone } from '../helpers/processes.ts'
import { python } from '../helpers/python.ts'
import { until } from '../helpers/until.ts'

const STUB = join(import.meta.dirname, 'fixtures/reader_stub.py')
/** How many rows of one piece each the reader may be ahead. */
const AHEAD = { least: 2, most: 8 }

const columns = ['ID', 'A']
const rows: Values[] = [['1', 'x'], ['2', 'two\nlines'], ['3']]
const TEXT = 'ID,A\n1,x\n2,"two\nlines"\n3\n'

function stub(path: string, read = 'ok', said: string[] = []): PandasSource {
  const calls = { read, write: null, classifier: null }
  const reader = new PandasReader({
    ...calls,
    python,
    script: STUB,
    say: text => said.push(text),
    onOutput: text => process.stderr.write(text),
  })
  return new PandasSource({ path, read }, reader)
}

function put(t: TestContext, text = TEXT): string {
  const path = join(testFolder(t), 'in.csv')
  writeFileSync(path, text)
  utimesSync(path, 1, 1)
  return path
}

/** Opens it, and reads all its rows. */
async function readAll(t: TestContext, source: PandasSource) {
  t.after(() => source.close())
  const header = await source.open()
  const read: Values[] = []
  for await (const piece of source.rows()) read.push(...piece.rows)
  return { header, read }
}

test('it keeps the contract of a source that can be resumed', async t => {
  const [path, other] = [put(t), put(t, TEXT.replace('x', 'y'))]
  await testSource({
    ...{ columns, rows, resumable: true },
    create: () => stub(path),
    createOther: () => stub(other),
    createBroken: () => stub(path, 'dies-later'),
    createUnusable: () => stub(`${path}.missing`),
    createWaiting: () => stub(path, 'waits'),
  })
})

/** The source as users have it, with the real Python process. */
test('one column at a time it gives the same job, or says why it cannot', async t => {
  const text = `n,d,t\n${Array.from({ length: 30 }, (_, n) => `${n % 7 ? n : ''},2024-01-${10 + (n % 9)},t${n}\n`).join('')}`
  const path = put(t, text)
  const read = "pd.read_csv(IN, parse_dates=['d'])"
  const open = (lowMemory: boolean, call = read) =>
    readAll(t, new PandasSource({ path, read: call, python, lowMemory }))
  assert.deepEqual(await open(true), await open(false))
  await assert.rejects(open(true, "pd.read_csv(IN, engine='python')"), {
    code: 'USAGE',
    message: /--low-memory reads one column at a time.*the python engine has the lines.*Leave --low-memory out/,
  })
})

function real(path: string, read = 'pd.read_csv(IN)'): PandasSource {
  return new PandasSource({ path, read, python })
}

test('with the real reader it keeps the contract, too', async t => {
  const [path, other, broken] = [put(t), put(t, TEXT.replace('x', 'y')), put(t, `${TEXT}4,5,6\n`)]
  await testSource({
    ...{ columns, rows: [...rows.slice(0, 2), ['3', '']], resumable: true },
    create: () => real(path),
    createOther: () => real(other),
    createBroken: () => real(broken),
    createUnusable: () => real(path, 'pd.read_csv(IN, no=1)'),
  })
})

const LINES: readonly [what: string, text: string, read: string, lines: readonly number[] | null][] = [
  ['one line each', 'ID,A\n1,x\n2,y', 'pd.read_csv(IN)', [2, 3]],
  ['Windows line ends', 'ID,A\r\n1,x\r\n2,y\r\n', "pd.read_csv(IN, header=0, engine='python')", [2, 3]],
  ['a cell of two lines', 'ID,A\n1,"x\ny"\n2,y\n', 'pd.read_csv(IN)', null],
  ['a blank line', 'ID,A\n\n1,x\n2,y\n', 'pd.read_csv(IN)', null],
  ['no header', '1,x\n\n2,y\n', "pd.read_csv(IN, names=['ID', 'A'])", null],
]

for (const [what, text, read, lines] of LINES) {
  test(`messages name ${lines ? 'lines' : 'no line, but rows'} of a file with ${what}`, async t => {
    const source = real(put(t, text), read)
    t.after(() => source.close())
    await source.open()
    for await (const piece of source.rows()) assert.deepEqual(piece.lines, lines)
  })
}

test('the numbers of a recipe reach the job record as they are', async t => {
  const said: string[] = []
  const path = put(t)
  const { header } = await readAll(t, stub(path, 'ok', said))
  const value = (name: string) => header.options.find(option => option.name === name)?.value
  assert.equal(value('recipe'), '{"big": 12345678901234567890, "whole": 1.0}')
  assert.equal(value('readCall'), 'ok')
  assert.deepEqual([header.total, header.indexKind, value('toCsv')], [3, null, undefined])
  assert.deepEqual(said, [`reads ${path}`])
})

const ENDS: readonly [call: string, code: string, message: RegExp][] = [
  ['refused', 'USAGE', /^--read: refused$/],
  ['differs', 'READ_DIFFERS', /^column A differs$/],
  ['changes', 'INPUT_CHANGED', /in\.csv changed while it was read \(\d+ bytes before, \d+ now\)/],
  ['replaces', 'INPUT_CHANGED', /in\.csv changed while it was read \(its name now belongs to another file\)/],
  ['dies', 'READER_DIED', /^the process that reads .*in\.csv ended with signal SIGKILL \(killed from outside/],
  ['dies-later', 'READER_DIED', /^the process that reads .*in\.csv ended with signal SIGKILL/],
]

for (const [call, code, message] of ENDS) {
  test(`a reader that ${call} ends with ${code}`, async t => {
    const path = put(t)
    writeFileSync(`${path}.other`, TEXT)
    await assert.rejects(readAll(t, stub(path, call)), { code, message })
  })
}

test('input that can be read only once is refused, and so is a URL', async t => {
  const pipe = join(testFolder(t), 'pipe')
  execFileSync('mkfifo', [pipe]) // nobody writes to it: opening it would never end
  await assert.rejects(readAll(t, stub('-')), {
    code: 'USAGE',
    message: /standard input can be read only once.*file first/,
  })
  await assert.rejects(readAll(t, stub(pipe)), { code: 'USAGE', message: /pipe can be read only once/ })
  const url = 'https://example.org/in.csv'
  await assert.rejects(readAll(t, stub(url)), {
    code: 'INPUT_NOT_FOUND',
    message: /is a URL, and rowmill reads local files/,
  })
})

test('close ends its process in the middle of the rows', async t => {
  const source = stub(put(t))
  await source.open()
  for await (const _ of source.rows()) break
  const started = descendants(process.pid).filter(({ name }) => name.startsWith('python'))
  assert.equal(started.length, 1)
  await source.close()
  await untilGone(started)
})

test('a slow caller makes the reader wait, so that no whole file waits in memory', async t => {
  const total = 100
  const path = put(t, `ID,A\n${Array.from({ length: total }, () => `1,${'x'.repeat(100_000)}\n`).join('')}`)
  const source = stub(path)
  t.after(() => source.close())
  await source.open()
  const sent = () => Number(existsSync(`${path}.sent`) && readFileSync(`${path}.sent`, 'utf8'))
  let read = 0
  for await (const piece of source.rows()) {
    read += piece.rows.length
    await until('the reader is ahead', () => sent() >= Math.min(total, read + AHEAD.least))
    assert.ok(sent() <= read + AHEAD.most, `${sent()} rows sent, ${read} read`)
  }
  assert.equal(read, total)
})

test('an interpreter that is missing is named', async t => {
  const source = new PandasSource({ path: put(t), read: 'pd.read_csv(IN)', python: 'no-such-python' })
  t.after(() => source.close())
  const message = /^Python interpreter no-such-python cannot be started: there is no such program/
  await assert.rejects(source.open(), { code: 'PYTHON_UNUSABLE', message })
})
