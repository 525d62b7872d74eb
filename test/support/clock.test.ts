/** Durations are measured by a clock that nobody sets. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import kafkajs from 'kafkajs'
import { patiently } from '../../src/kafka/errors.ts'
import { Outage } from '../../src/kafka/outage.ts'
import { realTime } from '../../src/support/clock.ts'

const HOUR_MS = 3_600_000
const NO_ANSWER = new kafkajs.KafkaJSConnectionError('connect ECONNREFUSED', { broker: 'b', code: 'ECONNREFUSED' })
const { signal } = new AbortController()

for (const leapMs of [HOUR_MS, -HOUR_MS]) {
  test(`a wall clock changed by ${leapMs / HOUR_MS} h ends no outage and no patience`, async t => {
    t.mock.timers.enable({ apis: ['Date'], now: 10 * HOUR_MS })
    const said: string[] = []
    const outage = new Outage(
      'read rows',
      text => said.push(text),
      { timeoutMs: 60_000 },
      { ...realTime, sleep: async () => {} },
    )
    await outage.failed(NO_ANSWER, signal)
    t.mock.timers.setTime(10 * HOUR_MS + leapMs)
    await outage.failed(NO_ANSWER, signal)
    assert.deepEqual(said, [])
    let tries = 0
    const request = async () => {
      t.mock.timers.setTime(10 * HOUR_MS + ++tries * leapMs)
      if (tries < 3) throw NO_ANSWER
      return tries
    }
    assert.equal(await patiently(request, async () => {}), 3)
  })
}

test('a request is retried for as long as its clock allows', async () => {
  let now = 0
  const request = async () => {
    now += 400
    throw NO_ANSWER
  }
  const asking = patiently(request, async () => {}, { silenceMs: 1000, now: () => now })
  await assert.rejects(asking, { code: 'BROKER_UNREACHABLE' })
  assert.equal(now, 1200)
})

test('the wall clock only stamps what people and other machines read, and measures nothing', () => {
  const files = readdirSync(join(import.meta.dirname, '../../src'), { recursive: true, encoding: 'utf8' })
  const uses = files
    .filter(file => file.endsWith('.ts') && file !== 'clock.ts')
    .flatMap(file => readFileSync(join(import.meta.dirname, '../../src', file), 'utf8').split('\n'))
    .filter(line => line.includes('Date.now()'))
  assert.ok(uses.length > 0)
  const stamps =
    /\b(?:at|startedAt|timeMs): Date\.now\(\)|describeJobs\(jobs, Date\.now\(\)\)|Date\.now\(\) - mtimeMs|expiryTime - Date\.now\(\)|Date\.now\(\) - doneBefore|shortenJobLog\(context, Date\.now\(\)\)|#endedAt = Date\.now\(\)/
  assert.deepEqual(
    uses.filter(line => !stamps.test(line)),
    [],
  )
})
