/** A broker that closes connections after 2 s without a request, and an event job whose rows come every 5 s. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startLocalBroker } from '../../src/broker/local-broker.ts'
import { openJob, results } from '../../src/index.ts'
import { startRowmill } from '../helpers/cli.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.py:a_float')
const PAUSE_MS = 5000
const ROWS = 4

for (const [who, ofBroker, properties] of [
  ['the broker closes', { 'connections.max.idle.ms': '2000' }, {}],
  ['we close', {}, { 'connections.max.idle.ms': '2000' }],
] as [string, Record<string, string>, Record<string, string>][])
  test(`connections that ${who} after 2 s are opened again: no row is lost or doubled, and nothing is logged`, async t => {
    const broker = await startLocalBroker({ properties: ofBroker })
    t.after(() => broker.kill())
    const said: string[] = []
    const say = (text: string) => void said.push(text)
    const kafka = { brokers: [broker.address], properties }
    const flags = Object.entries(properties).flatMap(([name, value]) => ['-X', `${name}=${value}`])
    const args = ['work', '--classifier', CLASSIFIER, '--workers', '1', '--brokers', broker.address, ...flags]
    const { child, finished } = startRowmill(args)
    t.after(() => child.kill('SIGKILL'))
    const job = await openJob({ kafka, id: 'events', columns: ['ID', 'A'], say })
    const sending = async () => {
      for (let row = 0; row < ROWS; row++) {
        if (row > 0) await sleep(PAUSE_MS) // the pause is what is tested
        assert.equal(await job.send([`${row}`, 'x']), row)
      }
      await job.end()
      await job.close()
    }
    const rows: (readonly string[])[] = []
    const reading = async () => {
      for await (const batch of results({ kafka, job: 'events', say })) rows.push(...batch.rows.map(row => row.values!))
    }
    await Promise.all([sending(), reading()])
    assert.deepEqual(
      rows.map(([id]) => id),
      ['0', '1', '2', '3'],
    )
    child.kill('SIGTERM')
    const { stderr } = await finished
    assert.doesNotMatch(`${stderr}\n${said.join('\n')}`, /cannot|lost|again|back|error|closed/i)
  })
