import assert from 'node:assert/strict'
import { test } from 'node:test'
import { python } from './serial.ts'

/** `ROWMILL_SEED=N` begins at another seed. */
const FIRST = Number(process.env['ROWMILL_SEED'] ?? 0)
const SEEDS = 60

type Answer = readonly [outcome: string, ...details: (string | number)[]]

test('batches of random files, read by random calls, equal the slices of the whole DataFrame', async () => {
  const answers = JSON.parse(await python('random_reads.py', [FIRST, SEEDS])) as Record<string, Answer>
  assert.equal(Object.keys(answers).length, SEEDS)
  const outcomes = Object.values(answers).map(([outcome]) => outcome)
  for (const [call, [outcome, ...details]] of Object.entries(answers)) {
    assert.ok(outcome === 'same' || outcome === 'both fail', `${call}: ${outcome} ${details.join(' ')}`)
  }
  assert.ok(outcomes.filter(outcome => outcome === 'same').length > SEEDS / 2, 'most random calls can be read')
})
