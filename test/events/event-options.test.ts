import assert from 'node:assert/strict'
import { test } from 'node:test'
import { unsequencedHeader } from '../../src/cli/event-header.ts'
import { checkOptions } from '../../src/events/event-options.ts'
import { type JobOption, optionOf } from '../../src/model.ts'

const COLUMNS = ['A', 'B', 'C']

type ReadCsv = Readonly<Record<string, unknown>>

/** What `openJob` puts into the job record. */
function ofSdk(readCsv: ReadCsv): readonly JobOption[] {
  return checkOptions({ brokers: ['127.0.0.1:9092'], id: 'j', columns: COLUMNS, readCsv })
}

/** What `rowmill jobs open` puts into the job record. */
async function ofCommand(readCsv: ReadCsv): Promise<readonly JobOption[]> {
  // `true` is a program that answers at once. How a Python quotes is another option, which is not compared.
  const unset = {
    indexKind: null,
    cast: [],
    eventMaxRejects: '100%',
    header: false,
    toCsv: { index: false },
    outputRows: 'one',
  } as const
  return (await unsequencedHeader({ ...unset, columns: COLUMNS, readCsv, python: 'true' }, () => {})).options
}

for (const readCsv of [
  { dtype: 'int64' },
  { dtype: 'float' },
  { dtype: { A: 'int64' } },
  { dtype: { A: 'str' } },
  { index_col: [0, 1] },
  { index_col: 7 },
  { index_col: 'Z' },
  { na_filter: false, na_values: { A: ['-'] } },
  { na_values: { a: { b: 1 } } },
  { usecols: 'A' },
  { usecols: ['Z'] },
  { true_values: 5 },
  { engine: 'c' },
  { nrows: 3 },
  { sep: ';' },
  { colour: 'red' },
] satisfies ReadCsv[]) {
  test(`openJob and jobs open both refuse readCsv ${JSON.stringify(readCsv)}, for one reason`, async () => {
    let reason = ''
    await assert.rejects(ofCommand(readCsv), ({ code, message }) => {
      assert.equal(code, 'USAGE')
      assert.match(message, new RegExp(`${Object.keys(readCsv)[0]}\\b.* cannot be used: .`))
      reason = message
      return true
    })
    const message = `openJob, readCsv ${JSON.stringify(readCsv)}: ${reason}`
    assert.throws(() => ofSdk(readCsv), { code: 'USAGE', message })
  })
}

for (const readCsv of [
  {},
  { index_col: 'B' },
  { index_col: [0] },
  { index_col: null },
  { dtype: { A: 'str', B: 'string', C: 'object' } },
  { na_filter: false },
  { na_values: ['-', 0] },
  { na_values: { A: ['-'] } },
  { keep_default_na: false },
  { true_values: ['ja'], false_values: ['nein'] },
] satisfies ReadCsv[]) {
  test(`openJob and jobs open record readCsv ${JSON.stringify(readCsv)} alike`, async () => {
    const recorded = optionOf(ofSdk(readCsv), 'readCsv')
    assert.equal(recorded, optionOf(await ofCommand(readCsv), 'readCsv'))
    assert.deepEqual(JSON.parse(recorded!), { engine: 'python', index_col: 0, dtype: 'str', ...readCsv })
  })
}
