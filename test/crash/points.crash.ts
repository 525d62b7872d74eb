/** `kill -9` at chosen points of our own code, then the same command again. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { testKafka } from '../helpers/broker.ts'
import { startRowmill } from '../helpers/cli.ts'
import { CLASSIFIER, Fire, ONE_MOVES, TWO_MOVE } from './fire.ts'

for (const [at, time] of [
  ['job-opened', 1],
  ['rows-acked', 1],
  ['rows-acked', 17],
  ['end-acked', 1],
  ['end-acked', 4],
  ['ends-acked', 1],
] as const) {
  test(`publish killed at ${at}, on visit ${time}, and started again`, async t => {
    const fire = await Fire.open(t)
    assert.equal(await fire.untilDone(() => fire.publish({ at, time })), 1)
    const working = fire.work(2)
    await fire.untilDone(() => fire.collect())
    await fire.drain(working)
    await fire.check({ again: ONE_MOVES })
  })
}

for (const [at, time] of [
  ['batch-classified', 1],
  ['batch-classified', 5],
  ['result-acked', 1],
  ['result-acked', 6],
  ['committed', 1],
  ['committed', 3],
] as const) {
  test(`a worker killed at ${at}, on visit ${time}, is started again`, async t => {
    const fire = await Fire.open(t, { rows: 6000 })
    const working = fire.work(2, { at, time })
    const [published, collected] = [fire.publish(), fire.collect()]
    for (const { finished } of [published, collected]) assert.equal((await finished).code, 0)
    await fire.drain(working)
    // The second worker joins at the start. The killed one is missed and the new one joins, in one rebalance or two.
    await fire.check({ again: ONE_MOVES + 2 * TWO_MOVE })
  })
}

for (const [at, time] of [
  ['rows-written', 1],
  ['rows-written', 9],
  ['checkpointed', 1],
  ['checkpointed', 2],
  ['output-named', 1],
] as const) {
  test(`collect killed at ${at}, on visit ${time}, and started again`, async t => {
    const fire = await Fire.open(t, { rows: 6000 }) // so that there is time for two checkpoints
    const working = fire.work(2)
    const published = fire.publish()
    const first = await fire.collect({ at, time }).finished
    assert.equal(first.signal, 'SIGKILL', first.stderr)
    const again = await fire.collect().finished
    if (at === 'output-named') assert.match(again.stderr, /out\.csv is complete already/)
    assert.equal(again.code, 0, again.stderr)
    assert.equal((await published.finished).code, 0)
    await fire.drain(working)
    await fire.check({ again: ONE_MOVES })
  })
}

test('run killed before its job is announced resumes, and leaves no topic on the broker of its user', async t => {
  const fire = await Fire.open(t, { rows: 300 })
  const env = { ...fire.env, ROWMILL_PIPELINE: '' }
  const crash = { ROWMILL_CRASH: `topics-there:1 ${fire.folder}/crashed` }
  const args = ['run', fire.input, fire.output, '--classifier', CLASSIFIER]
  const killed = await startRowmill(args, { env: { ...env, ...crash } }).finished
  assert.equal(killed.signal, 'SIGKILL', killed.stderr)
  const { pipeline } = JSON.parse(readFileSync(`${fire.output}.rowmill/run.json`, 'utf8'))
  const admin = await (await testKafka()).admin()
  t.after(() => admin.close())
  const topics = [`${pipeline}.rows`, `${pipeline}.jobs`]
  assert.equal((await admin.partitions(topics)).size, 2, 'it was killed after its topics were created')
  const again = await startRowmill(['run', '--resume', fire.output], { env }).finished
  assert.equal(again.code, 0, again.stderr)
  await fire.stopWatching()
  assert.equal(readFileSync(fire.output, 'utf8'), fire.serial)
  assert.equal((await admin.partitions(topics)).size, 0)
})
