import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deflateSync } from 'node:zlib'
import { newJob } from '../../src/core/job.ts'
import { headerLike } from '../../src/events/like-job.ts'
import type { JobLog } from '../../src/pipeline/job-log.ts'

/** What is said when a job of events is opened like a job whose only column has this rule. */
async function said(rule: object, toCsv: object, isPacked = false): Promise<string[]> {
  const large = { rules: [rule] }
  const packed = deflateSync(JSON.stringify(large)).toString('base64')
  const recipe = JSON.stringify({ index: { cells: [0] }, ...(isPacked ? { packed } : large) })
  const options = [
    { name: 'recipe', value: recipe },
    { name: 'toCsv', value: JSON.stringify(toCsv) },
    { name: 'sourceDigest', value: 'sha256:0' },
  ]
  const at = { partitions: 1, blockRows: 1, topic: 'rows', rowsFrom: [0], resultsFrom: [0], at: 0, by: 'test' }
  const jobs = { latest: async () => newJob({ id: 'nightly', columns: ['day'], options, ...at }) } as unknown as JobLog
  const told: string[] = []
  const say = (text: string) => told.push(text)
  const header = await headerLike(jobs, 'nightly', { pipeline: 'p', sequenced: false, say })
  assert.deepEqual(
    header.options.map(({ name }) => name),
    ['recipe', 'toCsv', 'like'],
  )
  return told
}

test('dates that may have times are told if they have no date_format: a batch of midnights is written without times', async () => {
  for (const format of ['%Y-%m-%d %H:%M:%S', '%d.%m.%Y %I:%M %p', 'ISO8601', 'mixed', null]) {
    const [told = ''] = await said({ kind: 'date', format }, {})
    assert.match(
      told,
      /^the dates of job nightly have times.*an event at midnight is written without its time\..*date_format=/,
    )
    assert.deepEqual(await said({ kind: 'date', format }, { date_format: '%Y' }), [])
  }
  assert.deepEqual(await said({ kind: 'date', format: '%d.%m.%Y' }, {}), [])
  assert.deepEqual(await said({ kind: 'text' }, {}), [])
  assert.equal((await said({ kind: 'date', format: null }, {}, true)).length, 1)
})
