/** What the probe finds in real classifiers, and whom it never blames. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openClassifier } from '../../src/classifier/open.ts'
import { newJob } from '../../src/core/job.ts'
import { type Judgement, judge } from '../../src/probe/judge.ts'
import type { Sample } from '../../src/probe/sample.ts'
import { Trials } from '../../src/probe/trials.ts'
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

async function judged(target: string, sample = sampleOf(1), columns = COLUMNS): Promise<Judgement> {
  const job = newJob({
    ...{
      id: 'j',
      columns,
      partitions: 1,
      blockRows: 100,
      topic: 'rows',
      rowsFrom: [0],
      resultsFrom: [0],
      at: 0,
      by: 'test',
    },
    ...{ indexKind: 'integer', options: [{ name: 'readCsv', value: '{}' }] },
  })
  const classifier = openClassifier({ target, python, by: 'test', memoryMB: null, onOutput: () => {} })
  try {
    await classifier.start()
    return await judge(new Trials({ classifier, job, timeoutMs: 60_000 }), { job, sample })
  } finally {
    await classifier.close()
  }
}

const namesIn = (file: string, pattern: RegExp) =>
  [...readFileSync(join(ROOT, file), 'utf8').matchAll(pattern)].map(([, name]) => name!)

const ROW_WISE = 'test/probe/fixtures/row_wise.py'
const UNSTABLE = ['unseeded', 'warms_up', 'counts_rows', 'counts_calls', 'now', 'some_uuid']
const MAY_BE_UNSTABLE = ['rarely_otherwise', 'clock', 'fails_by_chance']
const OTHER = ['of_its_row', 'looked_up', 'random_beside_ranks', 'seeded_by_batch']

for (const name of namesIn(ROW_WISE, /^def (\w+)\(/gm).filter(name => !OTHER.includes(name))) {
  test(`${name} is not blamed`, async () => {
    for (const seed of [1, 2, 3]) {
      const { fault, unstable } = await judged(`${join(ROOT, ROW_WISE)}:${name}`, sampleOf(seed))
      assert.equal(fault, null, fault?.message)
      if (!MAY_BE_UNSTABLE.includes(name)) assert.deepEqual(unstable, UNSTABLE.includes(name) ? ['X'] : [])
    }
  })
}

test('random numbers hide no other column that depends on the batch', async () => {
  const { fault, unstable } = await judged(`${join(ROOT, ROW_WISE)}:random_beside_ranks`)
  assert.deepEqual([fault?.column, unstable], ['RANK', ['CHANCE']])
})

test('random numbers that begin anew with each batch are blamed: the original job began them once', async () => {
  const { fault } = await judged(`${join(ROOT, ROW_WISE)}:seeded_by_batch`)
  assert.match(fault!.message, /^column X of row \d+ \(line \d+\) is "\d" with all rows at once, but "\d" in /)
})
