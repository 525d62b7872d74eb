/** Classifiers in TypeScript: messages in, messages out, through a real thread. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { ModuleClassifier } from '../../src/classifier/module/module.ts'
import { moduleTarget } from '../../src/classifier/module/module-target.ts'
import type { Batch } from '../../src/core/batcher.ts'
import { Batcher } from '../../src/core/batcher.ts'
import { RowmillError } from '../../src/errors.ts'
import type { Job, JobOption, Result, RowsHead, Values } from '../../src/model.ts'
import { decode, encodeRows } from '../../src/wire/codec.ts'
import { decodeHead } from '../../src/wire/rows-head.ts'
import { testFolder } from '../helpers/cli.ts'
import { jobRecord } from '../helpers/pipeline.ts'

const FILE = join(import.meta.dirname, '../fixtures/classifiers.ts')
const ROWS: readonly Values[] = [['1', 'a'], ['2', 'b'], ['3']]

function jobOf(options: readonly JobOption[] = []): Job {
  return jobRecord({ columns: ['ID', 'TEXT'], blockRows: 3, attempt: 2, options })
}

/** The rows as one batch made of two messages. */
function batchOf(rows: readonly Values[] = ROWS): Batch {
  const batcher = new Batcher(40)
  const cut = Math.ceil(rows.length / 2)
  const add = (from: number, values: readonly Values[]) => {
    const run = { job: 'j', epoch: 0, from: 0, seq: from, count: values.length, line: null, lineSteps: null }
    const bytes = encodeRows({ ...run, rows: values })
    batcher.addRows(40 + from, { head: decodeHead(bytes).value as RowsHead, bytes }, from)
  }
  add(0, rows.slice(0, cut))
  if (rows.length > cut) add(cut, rows.slice(cut))
  return batcher.cutBatch(1000)!
}

function open(t: TestContext, name: string, more: { file?: string; onOutput?: (text: string) => void } = {}) {
  const classifier = new ModuleClassifier({ file: FILE, name, by: 'w', memoryMB: null, onOutput: () => {}, ...more })
  t.after(() => classifier.close())
  return classifier
}

async function results(classifier: ModuleClassifier, rows = ROWS, job = jobOf()): Promise<Result[]> {
  await classifier.start()
  const answer = await classifier.classify(batchOf(rows), job)
  return answer.results.map(message => decode(message).value as Result)
}

const fails = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof RowmillError)
  assert.equal(error.code, code)
  assert.match(error.message, message)
  return true
}

test('rows go through the thread and come back as a result of their batch, short rows padded', async t => {
  const classifier = open(t, 'default')
  const [result, ...none] = await results(classifier)
  assert.equal(none.length, 0)
  const { rows, columns, kinds, classifier: fingerprint, ...head } = result!
  assert.deepEqual(rows, [
    ['1', 'a'],
    ['2', 'b'],
    ['3', ''],
  ])
  assert.deepEqual(
    [columns, kinds],
    [
      ['ID', 'TEXT'],
      ['text', 'text'],
    ],
  )
  const place = { job: 'j', epoch: 0, from: 0, attempt: 2, first: 0, offset: 40 }
  assert.deepEqual(head, { ...place, count: 3, by: 'w', rejected: [], outputs: null })
  assert.equal(fingerprint.length, 8)
  assert.deepEqual(classifier.runtime.versions, { node: process.versions.node })
})

test('cells become text; columns beyond the header are numbered; the header is passed on', async t => {
  const [result] = await results(open(t, 'kinds'))
  assert.deepEqual(result!.columns, ['0', '1', '2', '3', '4', '5', '6'])
  assert.deepEqual(result!.rows[0], ['1', '1.5', 'true', '', '', '1180591620717411303424', 'ID|TEXT'])
})

test('an async classifier is awaited, and calls are answered in order', async t => {
  const classifier = open(t, 'later')
  await classifier.start()
  const many = Array.from({ length: 20 }, (_, i) => [String(i), 'x'])
  const answers = await Promise.all(many.map(row => classifier.classify(batchOf([row]), jobOf())))
  assert.deepEqual(
    answers.map(({ results: [message] }) => (decode(message!).value as Result).rows[0]),
    many.map(([id]) => ['x', id]),
  )
})

test('large batches come back in several complete messages', async t => {
  const rows = Array.from({ length: 300 }, (_, i) => [String(i), 'y'.repeat(4000)])
  const several = await results(open(t, 'default'), rows)
  assert.ok(several.length > 1)
  assert.deepEqual(
    several.flatMap(result => result.rows),
    rows,
  )
  assert.deepEqual(
    several.map(({ first }) => first),
    several.map((_, i) => several.slice(0, i).reduce((sum, { count }) => sum + count, 0)),
  )
})

test('exported columns name the output, even of a job without rows', async t => {
  const file = join(testFolder(t), 'c.mts')
  writeFileSync(file, `export const columns = ['A']\nexport default (rows: string[][]) => rows.map(([id]) => [id])\n`)
  const classifier = open(t, 'default', { file })
  assert.deepEqual((await results(classifier))[0]!.columns, ['A'])
  const nothing: Batch = { ...batchOf(), count: 0, parts: [] }
  const [empty] = (await classifier.classify(nothing, jobOf())).results
  assert.deepEqual([(decode(empty!).value as Result).columns, (decode(empty!).value as Result).rows], [['A'], []])
})

test('a broken contract is refused by name, and the thread continues', async t => {
  const cases: [string, RegExp][] = [
    ['drops a row', /it returned 2 rows for 3/],
    ['ragged', /row 1: it returned 3 cells, the first row has 2/],
    ['an object', /row 0: cell 1 is an object \(Date\)/],
    ['leaves holes', /row 1: it returned undefined instead of a list of cells/],
    ['half a character', /row 2: cell 0 holds a lone surrogate/],
    ['endless cell', /output of row 2 of the batch takes 200000\d+ bytes/],
  ]
  const classifier = open(t, 'breaksTheContract')
  const broken = (way: string) => results(classifier, [['1', way], ...ROWS.slice(1)])
  for (const [way, message] of cases) {
    await assert.rejects(broken(way), fails('CLASSIFIER_CONTRACT', message))
    await assert.rejects(broken(way), fails('CLASSIFIER_CONTRACT', message))
    assert.equal((await broken('none')).length, 1)
  }
})

test('an exception comes with the frames of the classifier, and the next batch is classified', async t => {
  const classifier = open(t, 'throwsAtBad')
  const error =
    /classifier \S*classifiers\.ts threw: RangeError: cannot classify bad\n +at .*classifiers\.ts:\d+:\d+\)?$/
  await assert.rejects(results(classifier, [['1', 'bad']]), fails('CLASSIFIER_FAILED', error))
  assert.equal((await results(classifier)).length, 1)
  await assert.rejects(results(open(t, 'rejects')), fails('CLASSIFIER_FAILED', /threw: only text$/))
  const odd = results(open(t, 'throwsNothingToSee'))
  await assert.rejects(odd, fails('CLASSIFIER_FAILED', /threw: something of type object that cannot be shown$/))
})

test('a row with more values than the header has names is refused', async t => {
  const long = results(open(t, 'default'), [['1', 'a', 'b']])
  await assert.rejects(long, fails('ROW_MALFORMED', /row 0 has 3 values, the header 2 names/))
})

test('pandas-only options are refused for one job: the next job is served', async t => {
  const classifier = open(t, 'default')
  const option = (name: string, value: unknown): JobOption => ({ name, value: JSON.stringify(value) })
  const asks = [
    [option('cast', [['A', 'int64']]), /--cast A: only pandas can do that/],
    [option('toCsv', { na_rep: '-', quoting: 1, sep: ';' }), /^--to-csv na_rep: /],
    [option('readCsv', { usecols: ['ID'], dtype: { ID: 'int64' } }), /--read-csv usecols, --read-csv dtype: /],
  ] as const
  for (const [asked, message] of asks) {
    await assert.rejects(results(classifier, ROWS, jobOf([asked])), fails('USAGE', message))
  }
  const harmless = [option('toCsv', { sep: ';', header: true }), option('readCsv', { dtype: 'str', index_col: 0 })]
  assert.equal((await results(classifier, ROWS, jobOf(harmless))).length, 1)
})

test('what the classifier prints arrives as lines', async t => {
  const said: string[] = []
  const both = Promise.withResolvers<void>()
  const onOutput = (text: string) => {
    said.push(text)
    if (said.join('').split('\n').length > 3) both.resolve()
  }
  await results(open(t, 'prints', { onOutput }))
  await both.promise
  assert.deepEqual(said.join('').split('\n').toSorted(), ['', 'on stderr', 'on stdout', 'second line'])
})

test('what the classifier posts to its parent disturbs nothing', async t => {
  const classifier = open(t, 'postsToItsParent')
  for (let i = 0; i < 3; i++) assert.equal((await results(classifier)).length, 1)
})

test('a thread that ends is reported as dead, permanently', async t => {
  const gone = open(t, 'exits')
  await assert.rejects(results(gone), fails('CLASSIFIER_DIED', /exit code 3. Does it call process.exit/))
  await assert.rejects(results(gone), fails('CLASSIFIER_DIED', /exit code 3/))
  await assert.rejects(results(open(t, 'failsInATimer')), fails('CLASSIFIER_DIED', /Error: in a timer/))
})

test('close ends a classifier that never returns', async t => {
  const classifier = open(t, 'neverEnds')
  await classifier.start()
  const call = assert.rejects(classifier.classify(batchOf(), jobOf()), fails('CLASSIFIER_DIED', /is closed/))
  await classifier.close()
  await call
  await classifier.close()
})

test('a module that cannot be loaded is refused with the reason and the available exports', async t => {
  const folder = testFolder(t)
  const cases: [Parameters<typeof open>[2], string, string, RegExp][] = [
    [{ file: join(folder, 'none.ts') }, 'default', 'CLASSIFIER_NOT_FOUND', /none\.ts does not exist/],
    [{}, 'noFunction', 'CLASSIFIER_NOT_FOUND', /no function as export noFunction\. It exports .*\bpass|default/],
    [{}, 'nowhere', 'CLASSIFIER_NOT_FOUND', /no function as export nowhere/],
    [
      { file: join(folder, 'broken.ts') },
      'default',
      'CLASSIFIER_UNLOADABLE',
      /imported: SyntaxError: .*\n.*broken\.ts:2\n/,
    ],
    [
      { file: join(folder, 'broken.js') },
      'default',
      'CLASSIFIER_UNLOADABLE',
      /imported: SyntaxError: .*\n.*node --check/,
    ],
    [{ file: join(folder, 'commonjs/c.ts') }, 'default', 'CLASSIFIER_UNLOADABLE', /Name it \.mts \(or \.mjs\)/],
    [{ file: join(folder, 'throws.js') }, 'default', 'CLASSIFIER_UNLOADABLE', /cannot be imported: Error: at once/],
    [{ file: join(folder, 'columns.cjs') }, 'default', 'CLASSIFIER_UNLOADABLE', /columns must be a list of names/],
  ]
  mkdirSync(join(folder, 'commonjs'))
  writeFileSync(join(folder, 'commonjs/package.json'), '{"type":"commonjs"}')
  writeFileSync(join(folder, 'commonjs/c.ts'), 'export default (rows: string[][]) => rows')
  for (const name of ['broken.ts', 'broken.js']) writeFileSync(join(folder, name), '// line 1\nexport default (')
  writeFileSync(join(folder, 'throws.js'), "throw new Error('at once')")
  writeFileSync(join(folder, 'columns.cjs'), "module.exports = rows => rows; module.exports.columns = 'A'")
  const refuses = async ([more, name, code, message]: (typeof cases)[0]) => {
    const classifier = open(t, name, more)
    await assert.rejects(classifier.start(), fails(code, message))
    await assert.rejects(classifier.start(), fails(code, message))
  }
  await Promise.all(cases.map(refuses))
})

test('the file ending decides whether a target is a module', () => {
  assert.deepEqual(moduleTarget('a/b.ts'), { file: 'a/b.ts', name: 'default' })
  assert.deepEqual(moduleTarget('C:\\b.mjs:score'), { file: 'C:\\b.mjs', name: 'score' })
  for (const python of ['box.py', 'box.py:f', 'package.module:ts', 'ts', 'a.tsx'])
    assert.equal(moduleTarget(python), null)
})
