/**
 * Controls: while leaders move, each of these faults of a sender loses rows, and the check sees it. cluster.crash.ts has the same
 * faults of the cluster with nothing taken out.
 */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { startProgram } from '../helpers/cli.ts'
import { Cluster } from '../helpers/cluster.ts'
import { type Edit, mutant } from '../helpers/mutant.ts'
import { assertCode, Fire } from './fire.ts'
import { publishWhileLeadersMove } from './moving-leaders.ts'

const CONTROLS: Readonly<Record<string, readonly Edit[]>> = {
  'a partition that is not acknowledged counts as acknowledged': [
    {
      file: 'src/kafka/leader-requests.ts',
      find: '      const outcome = outcomes[i]!\n',
      put: "      const outcome = typeof outcomes[i] === 'number' ? outcomes[i] : 0\n",
    },
  ],
  'a batch that failed goes to the tail of its partition': [
    {
      file: 'src/kafka/partition-sender.ts',
      find: 'if (batch.length > 0) return room.isEmpty || room.fitting(batch) === batch.length ? batch : []',
      put: 'queue.push(...batch.splice(0))',
    },
    // So that some messages of the partition wait: on a busy machine one request may have all of them.
    { file: 'src/kafka/leader-requests.ts', find: 'REQUEST_MESSAGES = 2_000', put: 'REQUEST_MESSAGES = 10' },
    // It repeats the bytes of what it knows.
    { file: 'src/kafka/producer.ts', find: '    if (known) return known\n', put: '' },
  ],
}

const closing: (() => Promise<void>)[] = []
// Nothing is killed here. On a busy machine a broker must not count as dead, or leaders move at other times too.
const properties = { 'broker.session.timeout.ms': 30_000 }
const cluster = await Cluster.open(close => closing.push(close), { properties })
after(async () => {
  for (const close of closing.reverse()) await close()
})

for (const [fault, edits] of Object.entries(CONTROLS)) {
  test(`if ${fault}, moving leaders lose rows, and collect names the first`, async t => {
    const fire = await Fire.open(t, { rows: 20_000, brokers: cluster.addresses })
    const command = mutant(t, edits)
    const publish = () =>
      startProgram(process.execPath, [command, 'publish', fire.input, '--job', 'j'], { env: fire.env })
    const working = fire.work(2)
    const collected = fire.collect()
    const publishing = await publishWhileLeadersMove(fire, cluster, publish)
    assertCode(await collected.finished, 6)
    assert.match((await collected.finished).stderr, /\[ROW_GAP\]/)
    const { code, stderr } = await publishing.finished
    if (code !== 0)
      assert.match(stderr, /\[ROW_GAP\]/, 'it assumes that everything was sent, or hears of the gap before that')
    await fire.drain(working)
  })
}
