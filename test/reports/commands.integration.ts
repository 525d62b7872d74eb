/** What commands report while they run, are killed and stand still. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import { type Report, SILENT_SECONDS, type WorkerReport } from '../../src/reports/report.ts'
import { brokerAddress, testKafka, testPipeline } from '../helpers/broker.ts'
import { rowmill, startRowmill, testFolder } from '../helpers/cli.ts'
import { freeze, workerProcesses } from '../helpers/processes.ts'
import { allReports, newestReports } from '../helpers/reports.ts'
import { until } from '../helpers/until.ts'

/** A classifier that needs 0.2 s for a batch, and rejects no row. */
const SLOW = 'import time\ndef mark(df):\n    time.sleep(0.2)\n    df["DONE"] = "yes"\n    return df\n'

/** A classifier that hangs at the first sight of row 25, and otherwise needs 0.01 s for a batch. */
const HANGS_ONCE = `import os, time
def mark(df):
    time.sleep(0.01)
    if 25 in list(df.index) and not os.path.exists("hung"):
        open("hung", "w").close()
        time.sleep(3600)
    df["DONE"] = "yes"
    return df
`

async function place(t: TestContext, rows: number, classifier = SLOW) {
  const { pipeline, admin } = await testPipeline(t)
  const folder = testFolder(t)
  writeFileSync(join(folder, 'c.py'), classifier)
  writeFileSync(join(folder, 'in.csv'), `ID,A\n${Array.from({ length: rows }, (_, row) => `${row},a\n`).join('')}`)
  const kafka = await testKafka()
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline, ROWMILL_BATCH_ROWS: '10' }
  const start = (...args: string[]) => {
    const started = startRowmill(args, { env, cwd: folder })
    t.after(() => started.child.kill('SIGKILL'))
    return started
  }
  const work = (...more: string[]) => start('work', '--classifier', 'c.py:mark', ...more)
  const seen = new Map<number, number>()
  /** Waits for a report of a command, after the one that was returned before. It misses none, however slow the look is. */
  const untilReported = async (
    { child: { pid } }: ReturnType<typeof start>,
    what: string,
    holds: (report: Report) => boolean,
  ): Promise<Report> => {
    let found: Report | undefined
    await until(what, async () => {
      const reports = (await allReports(kafka, pipeline)).filter(report => report.pid === pid)
      const from = seen.get(pid!) ?? 0
      const at = reports.findIndex((report, at) => at >= from && holds(report))
      found = reports[at]
      if (found) seen.set(pid!, at + 1)
      return found !== undefined
    })
    return found!
  }
  return {
    pipeline,
    admin,
    folder,
    env,
    start,
    work,
    untilReported,
    cli: (...args: string[]) => rowmill(args, { env, cwd: folder }),
  }
}

const workersOf = ({ working }: Report): readonly WorkerReport[] => working?.workers ?? []

/** Whether there are two workers, and this holds for each. */
const bothWorkers = (report: Report, holds: (worker: WorkerReport) => boolean) =>
  workersOf(report).length === 2 && workersOf(report).every(holds)

const partitionsOf = (report: Report) =>
  workersOf(report).flatMap(({ partitions }) => partitions.map(at => `${at.topic}/${at.partition}`))

test('work reports the batch in hand, the partitions and the counts of each worker, and that it has ended', async t => {
  const { pipeline, admin, cli, work, untilReported } = await place(t, 600)
  await ensureTopics(admin, pipeline, 4)
  const working = work('--workers', '2')
  const { rows: topic } = topicsOf(pipeline)
  const owned = [0, 1, 2, 3].map(partition => `${topic}/${partition}`)
  const ownsAll = (report: Report) => {
    const theirs = partitionsOf(report).filter(at => at.startsWith(`${topic}/`))
    return theirs.sort().join() === owned.join()
  }
  // The job begins when each has its share: rows of a partition that moves meanwhile are counted twice.
  const isShared = (report: Report) => bothWorkers(report, ({ partitions }) => partitions.length > 0) && ownsAll(report)
  await untilReported(working, 'both workers have partitions', isShared)
  assert.equal((await cli('publish', 'in.csv', '--job', 'j', '--partitions', '4')).code, 0)
  const classifies = ({ state, rows, batch, time }: WorkerReport) =>
    state === 'busy' && rows > 0 && batch!.rows === 10 && time!.classify > 0.1
  const busy = await untilReported(working, 'both workers classify', report => bothWorkers(report, classifies))
  assert.deepEqual([busy.command, busy.isLast, busy.publishing, busy.collecting], ['work', false, null, null])
  assert.ok(ownsAll(busy), partitionsOf(busy).join())
  for (const { name, batch, heardSeconds } of workersOf(busy)) {
    const { row, partition, ...at } = batch!
    assert.deepEqual([at.job, at.topic], ['j', topic], name)
    assert.equal(Math.floor(row! / 10) % 4, partition, `row ${row} is in partition ${partition}`)
    assert.ok(heardSeconds <= SILENT_SECONDS)
  }
  const done = await untilReported(working, 'all rows are classified, and nothing is in hand', report => {
    const sum = workersOf(report).reduce((sum, { rows }) => sum + rows, 0)
    return sum === 600 && bothWorkers(report, ({ state }) => state === 'idle')
  })
  assert.equal(done.working!.restarts, 0)
  working.child.kill('SIGTERM')
  assert.equal((await working.finished).code, 0, working.said())
  await untilReported(working, 'it has ended', ({ isLast }) => isLast)
  assert.doesNotMatch(working.said(), /cannot see/)
})

test('a worker that is killed shows as started again, and one that stands still as not heard', async t => {
  const { cli, work, untilReported } = await place(t, 20_000)
  assert.equal((await cli('publish', 'in.csv', '--job', 'j', '--partitions', '4')).code, 0)
  const working = work('--workers', '2')
  const areBusy = (report: Report) => bothWorkers(report, ({ state }) => state === 'busy')
  await untilReported(working, 'both workers classify', areBusy)
  const [victim, other] = workerProcesses(working.child.pid!)
  process.kill(victim!.pid, 'SIGKILL')
  const restarted = await untilReported(working, 'a worker was started again', ({ working }) => working!.restarts === 1)
  assert.deepEqual(
    workersOf(restarted)
      .map(({ restarts }) => restarts)
      .sort(),
    [0, 1],
  )
  await untilReported(working, 'both classify again', areBusy)
  await freeze(other!.pid)
  const isSilent = ({ heardSeconds }: WorkerReport) => heardSeconds > SILENT_SECONDS
  const frozen = await untilReported(working, 'one is not heard', report => workersOf(report).some(isSilent))
  assert.equal(workersOf(frozen).filter(isSilent).length, 1)
  process.kill(other!.pid, 'SIGCONT')
  await untilReported(working, 'all are heard', report => !workersOf(report).some(isSilent))
})

test('a classifier that hangs shows as started again, in its own count, and the rows that it hung with say nothing about the others', async t => {
  const { cli, work, untilReported } = await place(t, 60, HANGS_ONCE)
  assert.equal((await cli('publish', 'in.csv', '--job', 'j', '--partitions', '1')).code, 0)
  const working = work('--workers', '1', '--batch-timeout', '4')
  const hangs = await untilReported(working, 'the batch that hangs counts while it is in hand', report => {
    const [worker] = workersOf(report)
    return (worker?.time?.classify ?? 0) > 2 && worker!.rows < 60
  })
  assert.ok(workersOf(hangs)[0]!.time!.wait < 2, 'a worker that classifies waits for no rows')
  const done = await untilReported(working, 'all rows are classified', report => workersOf(report)[0]?.rows === 60)
  const [{ classifierRestarts, restarts, secondsPerRow }] = workersOf(done) as [WorkerReport]
  assert.deepEqual([classifierRestarts, restarts, done.working!.restarts], [{ CLASSIFIER_TIMEOUT: 1 }, 0, 0])
  assert.equal(done.working!.batchTimeout, 4)
  assert.ok(secondsPerRow! > 0 && secondsPerRow! < 4 / 60, `${secondsPerRow} s a row`)
})

test('a worker with nothing to do is heard all the time', async t => {
  const { cli, work, untilReported } = await place(t, 1)
  assert.equal((await cli('publish', 'in.csv', '--job', 'j', '--partitions', '4')).code, 0)
  const working = work('--workers', '1')
  const idle = await untilReported(working, 'it is idle and reports less often', report => {
    const [worker] = workersOf(report)
    return report.everySeconds === 3 && worker!.state === 'idle' && worker!.rows === 1
  })
  assert.ok(workersOf(idle)[0]!.heardSeconds <= SILENT_SECONDS)
})

test('publish and collect report how far they are, and the row that the output waits for', async t => {
  const { start, work, untilReported, folder } = await place(t, 300)
  const input = startRowmillWithOpenInput(t, await place(t, 1))
  const published = await input.untilReported(input.publishing, 'it reports', ({ publishing }) => publishing !== null)
  assert.deepEqual([published.command, published.publishing], ['publish', { job: 'live', published: 0, total: null }])
  input.publishing.child.stdin.end()
  assert.equal((await input.publishing.finished).code, 0, input.publishing.said())

  assert.equal((await start('publish', 'in.csv', '--job', 'j', '--partitions', '4').finished).code, 0)
  const collecting = start('collect', join(folder, 'out.csv'), '--job', 'j')
  const waits = await untilReported(collecting, 'it waits', ({ collecting }) => (collecting?.waiting?.seconds ?? 0) > 1)
  const { waiting, ...counts } = waits.collecting!
  assert.deepEqual(waits.uses, { output: join(folder, 'out.csv') })
  assert.deepEqual(counts, { job: 'j', written: 0, rejected: 0, duplicates: 0 })
  assert.deepEqual([waiting!.row, waiting!.partition], [0, 0])
  work('--workers', '1')
  assert.equal((await collecting.finished).code, 0, collecting.said())
  const last = await untilReported(collecting, 'it has ended', ({ isLast }) => isLast)
  assert.deepEqual([last.collecting!.written, last.collecting!.waiting], [300, null])
})

/** A publisher whose input does not end. */
function startRowmillWithOpenInput(t: TestContext, { env, folder, untilReported }: Awaited<ReturnType<typeof place>>) {
  const options = { env, cwd: folder, input: 'ID,A\n1,x\n', inputStays: true }
  const publishing = startRowmill(['publish', '-', '--job', 'live'], options)
  t.after(() => publishing.child.kill('SIGKILL'))
  return { publishing, untilReported }
}

test('a run of its own makes the topic for its first report, and leaves none of its topics', async t => {
  const { folder, admin, env } = await place(t, 400)
  const kafka = await testKafka()
  const { ROWMILL_PIPELINE: _, ...alone } = env
  const args = ['run', 'in.csv', 'out.csv', '--classifier', 'c.py:mark', '--workers', '1', '--report', 'report.json']
  const running = startRowmill(args, { env: alone, cwd: folder })
  t.after(() => running.child.kill('SIGKILL'))
  const file = join(folder, 'out.csv.rowmill/run.json')
  await until('the run has a name', () => existsSync(file))
  const { pipeline } = JSON.parse(readFileSync(file, 'utf8'))
  let report: Report | undefined
  await until('the run reports its three parts', async () => {
    report = (await allReports(kafka, pipeline)).find(({ publishing, working, collecting }) => {
      return publishing?.published === 400 && (working?.workers[0]?.rows ?? 0) > 0 && (collecting?.written ?? 0) > 0
    })
    return report !== undefined
  })
  assert.deepEqual([report!.command, report!.pid], ['run', running.child.pid])
  assert.equal((await running.finished).code, 0, running.said())
  await until('its topics are gone', async () => (await admin.partitions(Object.values(topicsOf(pipeline)))).size === 0)
})

test('a command that takes less than 2 s leaves no report', async t => {
  const { pipeline, cli } = await place(t, 10)
  const began = performance.now()
  assert.equal((await cli('publish', 'in.csv', '--job', 'j')).code, 0)
  const isShort = performance.now() - began < 2000 // on a busy machine it may take longer, and report
  assert.equal((await newestReports(await testKafka(), pipeline)).length > 0 && isShort, false)
})
