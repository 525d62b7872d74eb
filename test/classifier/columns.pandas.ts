/** --low-memory: what is learned column by column equals what is learned of the whole DataFrame, or the call is refused. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CALLS } from './read-calls.ts'
import { python } from './serial.ts'

type Answer = readonly [outcome: 'same' | 'refused' | 'both fail' | 'OTHER', ...details: string[]]

const REFUSED =
  /^--low-memory reads one column at a time, and cannot with this call: (the python engine has|the file has an index column|the header has several|on_bad_lines leaves|usecols beside names|names has other labels|pandas cannot read column '.*' alone: |pandas reads \[).*\. Leave --low-memory out\.$/

const { base, ...others } = CALLS
// The python engine and index columns are refused at once: the calls of one file show that.
const asked = Object.entries(others).map(
  ([file, calls]) => [file, calls.filter(call => !/'python'|index_col/.test(call))] as const,
)
const middle = asked.length >> 1

for (const [name, files, least] of [
  ['calls of one file', { base }, 40],
  ['calls of other files', Object.fromEntries(asked.slice(0, middle)), 50],
  ['calls of the rest of the files', Object.fromEntries(asked.slice(middle)), 50],
  ['random calls of random files', { random: Array.from({ length: 60 }, (_, seed) => seed) }, 20],
] as const)
  test(`${name} give the same recipe and rows column by column as in one piece, or are refused with the reason`, async () => {
    const answers = JSON.parse(await python('column_reads.py', files)) as Record<string, Record<string, Answer>>
    let same = 0
    for (const [file, calls] of Object.entries(answers))
      for (const [call, [outcome, ...details]] of Object.entries(calls)) {
        assert.notEqual(outcome, 'OTHER', `${file}, ${call}: ${details.join(' | ')}`)
        if (outcome === 'refused') assert.match(details[0]!, REFUSED)
        if (outcome === 'same') same++
      }
    assert.ok(same >= least, `${same} are the same`)
  })
