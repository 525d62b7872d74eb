import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Outcome } from '../../src/probe/compare.ts'
import type { RowCut } from '../../src/probe/cuts.ts'
import { judge } from '../../src/probe/judge.ts'
import { jobRecord } from '../helpers/pipeline.ts'

const ROWS = 6
const SAMPLE = {
  seqs: Array.from({ length: ROWS }, (_, at) => at),
  lines: Array.from({ length: ROWS }, (_, at) => at + 2),
  rows: Array.from({ length: ROWS }, (_, at) => [`${at}`]),
}
const REJECT = { reason: 'CLASSIFIER_FAILED', detail: 'the service did not answer' }

/** Trials whose n-th call for single rows rejects these rows. All rows have a result in larger batches. */
function rejecting(...rejected: readonly (readonly number[])[]) {
  const turns = rejected.values()
  return {
    classify: async (_: unknown, { name }: RowCut) => {
      const bad = name === 'in batches of 1 row' ? turns.next().value! : []
      const rows = SAMPLE.rows.map((cells, at): Outcome => (bad.includes(at) ? REJECT : [cells]))
      return { columns: ['A'], headers: [['A']], rows, kinds: [new Set<string>()], refused: null, seconds: 0 }
    },
  }
}

test('a classifier that fails by chance is not blamed, even if it failed at one row each time', async () => {
  const { fault } = await judge(rejecting([1, 4], [1, 2], [1]), { job: jobRecord(), sample: SAMPLE })
  assert.equal(fault, null)
})

test('a classifier that fails at the same rows each time they are alone is blamed', async () => {
  const { fault } = await judge(rejecting([1, 4], [1, 4], [1, 4]), { job: jobRecord(), sample: SAMPLE })
  assert.match(
    fault!.message,
    /^row 1 \(line 3\) is \["1"\] with all rows at once, but rejected .* in batches of 1 row$/,
  )
})

for (const [atOnce, alone, why] of [
  ['0.3', '0.30000000000000004', / in two batches \(rounded otherwise: numpy adds/],
  ['0.3', '0.31', /"0\.31" in two batches$/],
  ['1.0', '1', /"1" in two batches$/],
  ['9007199254740992.0', '9007199254740993', /"9007199254740993" in two batches$/],
] as const) {
  test(`a cell that is ${atOnce} with all rows at once and ${alone} in batches is blamed, with the reason if it is rounded`, async () => {
    const trials = {
      classify: async (_: unknown, { name }: RowCut) => {
        const rows = SAMPLE.rows.map((): Outcome => [[name === 'with all rows at once' ? atOnce : alone]])
        return { columns: ['A'], headers: [['A']], rows, kinds: [new Set<string>()], refused: null, seconds: 0 }
      },
    }
    const { fault } = await judge(trials, { job: jobRecord(), sample: SAMPLE })
    assert.match(fault!.message, why)
  })
}
