/** What the probe finds in real classifiers, and whom it never blames. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openClassifier } from '../../src/classifier/open.ts'
import { newJob } from '../../src/core/job.ts'
import type { Job, JobOption } from '../../src/model.ts'
import { byKinds, WHOLE } from '../../src/probe/cuts.ts'
import { type Fault, type Judgement, judge } from '../../src/probe/judge.ts'
import { KindsMet } from '../../src/probe/kinds-met.ts'
import { FreshClassifier, judgeFirst, judgeMemory } from '../../src/probe/memory.ts'
import { type Sample, sampleOf as sampleOfKept } from '../../src/probe/sample.ts'
import { TimedTrials } from '../../src/probe/timed-trials.ts'
import { Trials } from '../../src/probe/trials.ts'
import { cellsOf, DEPENDENT, KINDS_BY_BATCH, COLUMNS as KINDS_COLUMNS } from '../helpers/kinds-by-batch.ts'
import { python } from '../helpers/python.ts'

const ROOT = join(import.meta.dirname, '../..')
const COLUMNS = ['ID', 'NAME', 'N', 'DAY']

/** Rows with repeated names, numbers and days, and gaps as between the start, the middle and the end of a file. */
function sampleOf(seed: number, count = 60): Sample {
  let state = seed
  const below = (most: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return Math.floor((state / 0x80000000) * most)
  }
  const seqs = Array.from({ length: count }, (_, at) => (at < count / 2 ? at : at + 1000))
  const day = () => `2024-0${1 + below(9)}-${10 + below(19)}`
  return {
    seqs,
    lines: seqs.map(seq => seq + 2),
    rows: seqs.map(seq => [`${seq}`, `n${below(9)}`, `${below(500)}`, day()]),
  }
}

/** What both kinds of trials show. */
interface Judged extends Judgement {
  readonly byKinds: Fault | null
}

/** What is wrong in batches of 10 rows that bring new kinds. Null: nothing, or nobody needs to ask. */
async function judgeByKinds(trials: Trials, job: Job, { rows, seqs, lines }: Sample): Promise<Fault | null> {
  const met = new KindsMet(job)
  let asks = false
  for (let from = 0; from < rows.length; from += 10) {
    const kept = rows.slice(from, from + 10).map((row, i) => ({ row, seq: seqs[from + i]!, line: lines[from + i]! }))
    const { columns, kinds } = await trials.classify(sampleOfKept(kept), WHOLE)
    if (kinds.length > 0 && met.add({ columns, kinds: kinds.map(([...seen]) => seen.at(-1)!), rows: kept })) asks = true
  }
  const { sample, batches } = met.question
  return asks ? (await judge(trials, { job, sample, cuts: [byKinds(batches)] })).fault : null
}

/** What the probe finds in each sample, one after the other in one process. */
async function judgedEach(
  target: string,
  samples: readonly Sample[],
  { columns = COLUMNS, more = [] }: { columns?: readonly string[]; more?: readonly JobOption[] } = {},
): Promise<Judged[]> {
  const layout = { partitions: 1, blockRows: 100, topic: 'rows', rowsFrom: [0], resultsFrom: [0] }
  const options = [{ name: 'readCsv', value: '{}' }, ...more]
  const job = newJob({ ...layout, id: 'j', columns, indexKind: 'integer', options, at: 0, by: 'test' })
  const classifier = openClassifier({ target, python, by: 'test', memoryMB: null, onOutput: () => {} })
  try {
    await classifier.start()
    const found: Judged[] = []
    const trials = new Trials({ classifier, job, timeoutMs: 60_000 })
    for (const sample of samples) {
      found.push({ ...(await judge(trials, { job, sample })), byKinds: await judgeByKinds(trials, job, sample) })
    }
    return found
  } finally {
    await classifier.close()
  }
}

/** What comes out if a classifier is started again too. */
async function judgedAgain(target: string): Promise<Judgement> {
  const layout = { partitions: 1, blockRows: 100, topic: 'rows', rowsFrom: [0], resultsFrom: [0] }
  const options = [{ name: 'readCsv', value: '{}' }]
  const job = newJob({ ...layout, id: 'j', columns: COLUMNS, indexKind: 'integer', options, at: 0, by: 'test' })
  const opening = { target, python, by: 'test', memoryMB: null, onOutput: () => {} }
  const classifier = new FreshClassifier(() => openClassifier(opening))
  try {
    await classifier.start()
    const [sample, trials] = [sampleOf(1, 20), new TimedTrials(new Trials({ classifier, job, timeoutMs: 60_000 }))]
    return await judgeMemory(await judge(trials, { job, sample }), { classifier, trials, job, sample })
  } finally {
    await classifier.close()
  }
}

async function judged(target: string): Promise<Judgement> {
  const [judgement] = await judgedEach(target, [sampleOf(1)])
  return judgement!
}

const namesIn = (file: string, pattern = /^def (\w+)\(df/gm) =>
  [...readFileSync(join(ROOT, file), 'utf8').matchAll(pattern)].map(([, name]) => name!)

const ROW_WISE = 'test/probe/fixtures/row_wise.py'
const LOOKS = 'test/probe/fixtures/with_gaps.py'
const UNSTABLE = ['unseeded', 'warms_up', 'counts_rows', 'counts_calls', 'now', 'some_uuid']
const MAY_BE_UNSTABLE = ['rarely_otherwise', 'clock', 'fails_by_chance']
const BLAMED = ['random_beside_ranks', 'seeded_by_batch']

for (const name of namesIn(ROW_WISE).filter(name => !BLAMED.includes(name))) {
  test(`${name} is not blamed`, async () => {
    const judgements = await judgedEach(
      `${join(ROOT, ROW_WISE)}:${name}`,
      [1, 2, 3].map(seed => sampleOf(seed)),
    )
    for (const { fault, byKinds } of judgements)
      assert.deepEqual([fault, byKinds], [null, null], `${fault?.message} ${byKinds?.message}`)
    const again = await judgedAgain(`${join(ROOT, ROW_WISE)}:${name}`)
    assert.equal(again.fault, null, again.fault?.message)
    if (!MAY_BE_UNSTABLE.includes(name)) assert.deepEqual(judgements[0]!.unstable, UNSTABLE.includes(name) ? ['X'] : [])
  })
}

const REMEMBERS = 'test/probe/fixtures/remembers.py'
for (const name of ['numbers_names', 'first_number_of_name', 'numbers_beside_chance']) {
  test(`${name} is blamed: a new process does not know the earlier rows`, async () => {
    const { fault, unstable } = await judgedAgain(`${join(ROOT, REMEMBERS)}:${name}`)
    assert.match(
      fault!.message,
      /^column X of row \d+ \(line \d+\) is "\d+" with all rows at once, but "\d+" in a new process that/,
    )
    assert.deepEqual(unstable, name === 'numbers_beside_chance' ? ['Y'] : [])
  })
}

/** What comes out of the first rows of a job, of which a worker made `known`: another process that classified them at once. */
async function judgedFirst(target: string): Promise<Judgement & { calls: number }> {
  const layout = { partitions: 1, blockRows: 100, topic: 'rows', rowsFrom: [0], resultsFrom: [0] }
  const options = [{ name: 'readCsv', value: '{}' }]
  const job = newJob({ ...layout, id: 'j', columns: COLUMNS, indexKind: 'integer', options, at: 0, by: 'test' })
  const opening = { target, python, by: 'test', memoryMB: null, onOutput: () => {} }
  const [worker, classifier] = [openClassifier(opening), new FreshClassifier(() => openClassifier(opening))]
  try {
    await Promise.all([worker.start(), classifier.start()])
    const known: Buffer[] = []
    const keeping = {
      classify: async (...batch: Parameters<typeof worker.classify>) => {
        const answer = await worker.classify(...batch)
        known.push(...answer.results)
        return answer
      },
    }
    await new Trials({ classifier: keeping, job, timeoutMs: 60_000 }).classify(sampleOf(1, 60), WHOLE)
    const trials = new Trials({ classifier, job, timeoutMs: 60_000 })
    const { rows, seqs, lines } = sampleOf(1, 60)
    const sample = { rows: rows.slice(0, 20), seqs: seqs.slice(0, 20), lines: lines.slice(0, 20) }
    return { ...(await judgeFirst({ classifier, trials, job, sample, known })), calls: trials.calls }
  } finally {
    await Promise.all([worker.close(), classifier.close()])
  }
}

for (const name of ['numbers_names', 'first_number_of_name']) {
  test(`the first rows of a job: ${name} is blamed, since the worker met the names in another order`, async () => {
    const { fault } = await judgedFirst(`${join(ROOT, REMEMBERS)}:${name}`)
    assert.match(fault!.message, /in a new process that/)
  })
}

for (const [file, name] of [
  [ROW_WISE, 'lru_cached'],
  [ROW_WISE, 'integers_and_none'],
  [ROW_WISE, 'dates'],
  [LOOKS, 'one_gap'],
] as const) {
  test(`the first rows of a job: ${name} is not blamed after one trial, whatever the kinds of the rows after them`, async () => {
    const { fault, unstable, calls } = await judgedFirst(`${join(ROOT, file)}:${name}`)
    assert.deepEqual([fault, unstable], [null, []])
    assert.ok(calls <= 12, `${calls} calls`)
  })
}

test('the first rows of a job: random numbers are named, and not blamed', async () => {
  const { fault, unstable } = await judgedFirst(`${join(ROOT, ROW_WISE)}:unseeded`)
  assert.deepEqual([fault, unstable], [null, ['X']])
})

test('what is another in each process is named, and not blamed', async () => {
  const { fault, unstable } = await judgedAgain(`${join(ROOT, REMEMBERS)}:hashes`)
  assert.deepEqual([fault, unstable], [null, ['X']])
})

test('random numbers hide no other column that depends on the batch', async () => {
  const { fault, unstable } = await judged(`${join(ROOT, ROW_WISE)}:random_beside_ranks`)
  assert.deepEqual([fault?.column, unstable], ['RANK', ['CHANCE']])
})

test('random numbers that begin anew with each batch are blamed: the original job began them once', async () => {
  const { fault } = await judged(`${join(ROOT, ROW_WISE)}:seeded_by_batch`)
  assert.match(fault!.message, /^column X of row \d+ \(line \d+\) is "\d" with all rows at once, but "\d" in /)
})

test('columns that depend on the batch are blamed', async () => {
  const { fault } = await judged(`${join(ROOT, 'test/fixtures/looks_at_rows.py')}:dummies`)
  assert.match(fault!.message, /^the columns are \[.*"n8".*\] with all rows at once, but \[.*\] in /)
})

test('a column that compares rows hides behind no integers that become floats', async () => {
  for (const name of ['sums_with_gaps', 'ranks_with_gaps']) {
    const { fault } = await judged(`${join(ROOT, LOOKS)}:${name}`)
    assert.match(
      fault!.message,
      /^column X of row \d+ \(line \d+\) is "\d+\.\d" with all rows at once, but "\d+\.\d" in /,
    )
  }
})

test('a filter is not blamed where a missing number was dropped, which had made floats of integers', async () => {
  const any = { more: [{ name: 'rows', value: 'any' }] }
  for (const name of ['drops_missing', 'drops_then_converts']) {
    const [judgement] = await judgedEach(`${join(ROOT, LOOKS)}:${name}`, [sampleOf(1)], any)
    assert.deepEqual([judgement!.fault, judgement!.byKinds, judgement!.unstable], [null, null, []])
  }
  const [{ fault }] = (await judgedEach(`${join(ROOT, LOOKS)}:drops_repeated`, [sampleOf(1)], any)) as [Judged]
  assert.match(fault!.message, /^row \d+ \(line \d+\) is \[\] with all rows at once, but /)
})

/** Rows for the classifiers of other tests. */
const numbered = (cells: (at: number) => string[]): Sample => {
  const seqs = Array.from({ length: 45 }, (_, at) => at * 2)
  return { seqs, lines: seqs.map(seq => seq + 2), rows: seqs.map(seq => [`${seq}`, ...cells(seq)]) }
}
const TEXTS = numbered(at => [at % 7 === 4 ? '' : `text ${at}, "ü"`, `b${at % 3}`, `${at % 4}`])
const SOME_BAD = numbered(at => [at % 20 === 6 ? 'bad' : 'good', 'x', ''])
const WHOLE_NUMBERS = numbered(at => [`${at % 9}`, at % 5 === 2 ? '' : 'b', 'c'])
const DAYS = numbered(at => [`2024-01-${10 + (at % 19)}`, 'b', 'c'])

/** Every other classifier of the tests and examples that looks at one row at a time, and lives. */
const OF_TESTS: readonly (readonly [string, readonly string[], Sample])[] = [
  ['examples/black_box.py', ['classify_df'], TEXTS],
  ['examples/black-box.ts', ['default'], TEXTS],
  ['test/fixtures/classifiers.ts', ['default', 'prints'], TEXTS],
  ['test/fixtures/logs_indices.py', ['classify'], TEXTS],
  [
    'test/fixtures/classifiers.py',
    ['a_float', 'a_text', 'some_none', 'other_columns', 'shows_rows', 'prints', 'drifts', 'raises'],
    SOME_BAD,
  ],
  [
    'test/fixtures/bad_rows.py',
    ['mark', 'throws', 'leaves', 'drops', 'adds', 'gives_a_number', 'prints', 'large_cell'],
    SOME_BAD,
  ],
  ['test/classifier/fixtures/column_types.py', ['labels', 'dated_categories', 'half'], TEXTS],
  [
    'test/classifier/fixtures/good.py',
    ['seen', 'a_float', 'a_text', 'some_none', 'new_frame', 'reordered', 'unnamed_index', 'whole_numbers'],
    WHOLE_NUMBERS,
  ],
  ['test/classifier/fixtures/good.py', ['dates'], DAYS],
]

for (const [file, names, sample] of OF_TESTS) {
  for (const name of names) {
    test(`${file}:${name} is not blamed`, async () => {
      const [judgement] = await judgedEach(`${join(ROOT, file)}:${name}`, [sample], { columns: ['ID', 'A', 'B', 'C'] })
      assert.deepEqual([judgement!.fault, judgement!.byKinds, judgement!.unstable], [null, null, []])
    })
  }
}

/** Ten rows are rare, and they are a batch. */
const RARE: Sample = {
  seqs: Array.from({ length: 40 }, (_, at) => at),
  lines: Array.from({ length: 40 }, (_, at) => at + 2),
  rows: Array.from({ length: 40 }, (_, at) => cellsOf(at, at >= 20 && at < 30)),
}

for (const name of [...DEPENDENT, 'each_alone']) {
  test(`a batch that brings another kind shows whether the kind follows from all rows: ${name}`, async () => {
    const [judgement] = await judgedEach(`${KINDS_BY_BATCH}:${name}`, [RARE], { columns: KINDS_COLUMNS })
    assert.equal(judgement!.byKinds?.column, name === 'each_alone' ? undefined : 'X')
  })
}
