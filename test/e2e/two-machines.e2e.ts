/** A pipeline on two machines, watched from a third: network namespaces with host names of their own. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { PageMessage } from '../../src/monitor/page/page-state.ts'
import type { PipelineView, WorkerView } from '../../src/watch/view.ts'
import { testFolder } from '../helpers/cli.ts'
import { Machines, NO_MACHINES } from '../helpers/machines.ts'
import { until } from '../helpers/until.ts'

const [LEFT, RIGHT, TOWER] = ['left', 'right', 'tower']
const PIPELINE = 'machines'
const TOKEN = 'a-token-of-a-test-0123456789'
const PORT = 7696
const PARTITIONS = 8
/** At 100 rows a second they are under way for longer than this test. */
const ROWS = 100_000
const CLASSIFIER = `
import time

def classify_df(df):
    time.sleep(len(df) / 100)
    df['MARK'] = 'ok'
    return df
`

async function startPipeline(t: TestContext) {
  const folder = testFolder(t)
  const ended = new AbortController()
  t.after(() => ended.abort())
  const machines = await Machines.open(t, [LEFT, RIGHT, TOWER])
  const [rows, classifier, token] = ['rows.csv', 'slow.py', 'token'].map(name => join(folder, name)) as [
    string,
    string,
    string,
  ]
  writeFileSync(rows, `ID,A\n${Array.from({ length: ROWS }, (_, row) => `${row},a\n`).join('')}`)
  writeFileSync(classifier, CLASSIFIER)
  writeFileSync(token, `${TOKEN}\n`, { mode: 0o600 })
  const start = (machine: string, ...args: string[]) => {
    const command = machines.start(machine, args, PIPELINE)
    t.after(async () => {
      command.child.kill('SIGKILL')
      await command.finished
    })
    return command
  }
  const published = await start(LEFT, 'publish', rows, '--job', 'job', '--partitions', String(PARTITIONS)).finished
  assert.equal(published.code, 0, published.stderr)
  const work = (machine: string) => start(machine, 'work', '--classifier', classifier, '--workers', '1')
  const [left, right] = [work(LEFT), work(RIGHT)]
  start(TOWER, 'monitor', '--metrics-address', machines.address(TOWER), '--metrics-token-file', token)
  /** What the page of the monitor shows. A request that is under way when the machines are removed would never end. */
  const seen = async (): Promise<PageMessage | null> => {
    const asked = { headers: { Authorization: `Bearer ${TOKEN}` }, signal: ended.signal }
    const answer = await fetch(`http://${machines.address(TOWER)}:${PORT}/api/view`, asked).catch(() => null)
    return answer?.ok ? ((await answer.json()) as PageMessage) : null
  }
  return { machines, start, left, right, seen }
}

const on = (workers: readonly WorkerView[] | undefined, host: string) => workers?.find(worker => worker.host === host)

/** It has reported a batch in hand: before that the group alone knows it. */
const isAtWork = (worker: WorkerView | undefined) => worker?.process != null && worker.batch !== null

test('a third machine sees the hosts, processes and partitions of both, and that one is cut off', {
  skip: NO_MACHINES,
}, async t => {
  const { machines, start, left, right, seen } = await startPipeline(t)
  await until('both workers are at work, in the eyes of the monitor', async () => {
    const workers = (await seen())?.workers
    return isAtWork(on(workers, LEFT)) && isAtWork(on(workers, RIGHT))
  })

  const status = async (): Promise<PipelineView> => {
    const { stdout, stderr, code } = await start(TOWER, 'status', '-o', 'json').finished
    assert.equal(code, 7, stderr)
    return JSON.parse(stdout)
  }
  const view = await status()
  const processes = view.processes.filter(({ command, state }) => command === 'work' && state === 'running')
  assert.deepEqual(
    processes.map(({ host, pid }) => ({ host, pid })).sort((a, b) => (a.host < b.host ? -1 : 1)),
    [
      { host: LEFT, pid: left.child.pid },
      { host: RIGHT, pid: right.child.pid },
    ],
  )
  const job = view.jobs.find(({ id }) => id === 'job')!
  assert.equal(job.rows.published, ROWS)
  assert.equal(job.partitions.length, PARTITIONS)
  const lag = job.partitions.reduce((sum, { lagRows }) => sum + lagRows!, 0)
  assert.equal(lag, ROWS - job.rows.classified!)
  for (const { partition, owner, topic } of job.partitions) {
    const owners = view.workers.filter(({ partitions }) =>
      partitions.some(held => held.topic === topic && held.partition === partition),
    )
    assert.deepEqual(
      owners.map(({ name }) => name),
      [owner],
      `partition ${partition}`,
    )
  }

  const cutAt = Date.now()
  machines.cut(RIGHT)
  await until(
    'the worker that is cut off is silent',
    async () => on((await seen())?.workers, RIGHT)?.state === 'silent',
  )
  const seconds = (Date.now() - cutAt) / 1000
  t.diagnostic(`the monitor showed it after ${seconds.toFixed(1)} s`)
  assert.equal(on((await status()).workers, RIGHT)?.state, 'silent')

  await until('the other machine has all partitions', async () => {
    const workers = (await seen())?.workers
    return on(workers, LEFT)?.partitions.filter(({ topic }) => topic.endsWith('.bulk')).length === PARTITIONS
  })
  machines.mend(RIGHT)
  await until('the worker is back', async () => isAtWork(on((await seen())?.workers, RIGHT)))
})
