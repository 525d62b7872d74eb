import assert from 'node:assert/strict'
import { differsByCut, type TestClassifierOptions, testPipeline } from './pipeline.ts'
import type { TestReject } from './result.ts'
import { checkRules } from './rules.ts'

/** A classifier, rows to try it with, and what it promises. */
export interface ClassifierContract extends TestClassifierOptions {
  /** The rows that it rejects, by their place among `rows`, from 0. Default: none. */
  readonly rejects?: readonly number[]
  /** Whether the same rows always give the same results. Default: true. */
  readonly repeatable?: boolean
}

/**
 * Checks a classifier against its contract. Throws one error that lists every broken rule:
 * - every row has a result, except the rows that it says it rejects
 * - the result of a row does not depend on the rows beside it (`differsByCut`)
 * - the same rows give the same results again, unless it is not `repeatable`
 * - a job without rows completes
 */
export async function testClassifier(contract: ClassifierContract): Promise<void> {
  const { rejects: expected = [], repeatable = true } = contract
  const once = async () => {
    const { columns, rows, rejects } = await testPipeline(contract)
    return { columns, rows, rejected: rejects.map(({ seq }) => seq), why: whyOf(rejects) }
  }
  const everyRowHasAResult = async () => {
    const { rejected, why } = await once()
    assert.deepEqual(rejected, [...expected], `rejected rows ${rejected}, expected ${expected}. ${why}`)
  }
  await checkRules(
    'the classifier',
    [
      ['every row has a result', () => everyRowHasAResult()],
      ['rows do not depend on each other', async () => assert.equal(await differsByCut(contract), null)],
      [
        'the same rows give the same results',
        async () => {
          if (repeatable) assert.deepEqual(await once(), await once())
        },
      ],
      ['a job without rows completes', async () => void (await testPipeline({ ...contract, rows: [] }))],
    ],
    null, // `batchTimeout` is the bound
  )
}

/** The first reason of a reject. The others are probably the same. */
function whyOf([first]: readonly TestReject[]): string {
  return first ? `Row ${first.seq}: ${first.reason}: ${first.detail}` : ''
}
