/** A user who may not write reports, on a separate broker with an authorizer: every command does its work all the same. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Kafka } from '../../src/kafka/index.ts'
import type { Role } from '../../src/options.ts'
import { rightsOf } from '../../src/pipeline/roles.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import { startRowmill, testFolder } from '../helpers/cli.ts'
import { GuardedBroker } from '../helpers/guarded-broker.ts'
import { newestReports } from '../helpers/reports.ts'
import { until } from '../helpers/until.ts'

const SLOW = 'import time\ndef mark(df):\n    time.sleep(0.5)\n    return df\n'

test('without the right to write reports every command does its work, and logs that once', async t => {
  const guarded = await GuardedBroker.start(close => t.after(close))
  const folder = testFolder(t)
  writeFileSync(join(folder, 'c.py'), SLOW)
  writeFileSync(join(folder, 'in.csv'), `ID,A\n${Array.from({ length: 120 }, (_, row) => `${row},a\n`).join('')}`)
  const kafka = new Kafka({ brokers: [guarded.address], clientId: 'test' })
  const admin = await kafka.admin()
  await ensureTopics(admin, 'p', 2).finally(() => admin.close())
  const start = async (role: Role, ...args: string[]) => {
    const properties = await guarded.user(role)
    for (const right of rightsOf(role, 'p')) await guarded.change('add', role, right)
    const lines = Object.entries(properties).map(pair => pair.join('='))
    const env = { ROWMILL_PROPERTY: lines.join('\n'), ROWMILL_PIPELINE: 'p', ROWMILL_BATCH_ROWS: '10' }
    return startRowmill(args, { env, cwd: folder })
  }
  const published = await (await start('publish', 'publish', 'in.csv', '--job', 'j')).finished
  assert.equal(published.code, 0, published.stderr)
  const collecting = await start('collect', 'collect', 'out.csv', '--job', 'j')
  const { reports } = topicsOf('p')
  const line = new RegExp(
    `cannot see what this command does, .*Write topic ${reports}.*--operation Write --topic ${reports}`,
  )
  await until('the collector has tried to report', () => line.test(collecting.said()))
  const working = await start('work', 'work', '--classifier', 'c.py:mark', '--workers', '1', '--until-done', 'j')
  for (const { finished } of [working, collecting]) {
    const { code, stderr } = await finished
    assert.equal(code, 0, stderr)
    assert.equal(stderr.split('cannot see').length, 2, stderr)
    assert.match(stderr, line)
  }
  assert.equal(readFileSync(join(folder, 'out.csv'), 'utf8').split('\n').length, 121)
  assert.deepEqual(await newestReports(kafka, 'p'), [])
})
