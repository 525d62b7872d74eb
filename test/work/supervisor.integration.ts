import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { collect } from '../../src/collect/collector.ts'
import type { Source, SourceHeader } from '../../src/connector.ts'
import type { Values } from '../../src/model.ts'
import { JobLog } from '../../src/pipeline/job-log.ts'
import { workersGroup } from '../../src/pipeline/topic-names.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import { publish } from '../../src/publish/publisher.ts'
import { Supervisor, type SupervisorOptions } from '../../src/work/supervisor.ts'
import { brokerAddress, testKafka, testPipeline } from '../helpers/broker.ts'
import { memorySink } from '../helpers/pipeline.ts'
import { descendants, freeze, type ProcessInfo, startedBy, untilGone, workerProcesses } from '../helpers/processes.ts'
import { python } from '../helpers/python.ts'
import { until } from '../helpers/until.ts'

const silent = () => {}
const MARK = 'def mark(df):\n    df["DONE"] = "yes"\n'

/** A folder of this test with a classifier `mark` in `c.py`. */
function classifierFile(t: TestContext, text: string): { target: string; folder: string } {
  const folder = mkdtempSync(join(tmpdir(), 'rowmill-test-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'c.py'), text)
  return { target: `${join(folder, 'c.py')}:mark`, folder }
}

interface Supervised {
  readonly supervisor: Supervisor
  readonly said: string[]
  /** The present worker processes of this supervisor. */
  workers(): ProcessInfo[]
}

function supervise(t: TestContext, target: string, more: Partial<SupervisorOptions> = {}): Supervised {
  const said: string[] = []
  const supervisor = new Supervisor({
    ...{
      workers: 2,
      python,
      target,
      batchRows: 5,
      batchTimeout: 300,
      classifierMemory: null,
      onOutput: silent,
      onBatch: silent,
    },
    say: text => said.push(text),
    ...more,
  })
  t.after(() => supervisor.close('kill'))
  const workers = () => workerProcesses(process.pid)
  supervisor.start()
  return { supervisor, said, workers }
}

/** A pipeline for one job `j` of `total` rows. Its last rows are published when `rest` resolves. */
async function pipelineFor(t: TestContext, total: number, rest: Promise<void> = Promise.resolve()) {
  const { pipeline, admin } = await testPipeline(t)
  await ensureTopics(admin, pipeline, 4)
  const kafka = await testKafka()
  const jobs = await JobLog.open(kafka, pipeline, silent)
  const over = new AbortController()
  t.after(async () => {
    over.abort(new Error('the test is over'))
    await jobs.close()
  })
  const header: SourceHeader = { columns: ['ID', 'TEXT'], indexKind: null, identity: null, total, options: [] }
  const run = (first: number, count: number) => {
    const seqs = Array.from({ length: count }, (_, i) => first + i)
    return { rows: seqs.map(seq => [String(seq), `text ${seq}`]), lines: seqs.map(seq => seq + 2), bytes: seqs }
  }
  const source: Source = {
    open: async () => header,
    async *rows() {
      yield run(0, total / 2)
      await rest
      yield run(total / 2, total / 2)
    },
    close: async () => {},
  }
  const written: Values[] = []
  const sink = memorySink(written)
  const context = { kafka, pipeline, jobs, say: silent, signal: over.signal }
  const layout = { partitions: 4, blockRows: 5 }
  const ends = () =>
    Promise.all([
      publish(context, source, { header, job: 'j', layout, options: [], by: 'test' }),
      collect(context, { job: 'j', sink }),
    ])
  return { pipeline, admin, ends, written }
}

const marked = (total: number): Values[] =>
  Array.from({ length: total }, (_, seq) => [String(seq), `text ${seq}`, 'yes'])

/** Does something at the first batch that a worker reports. `done` resolves then. */
function onFirstBatch(act: () => void): { onBatch: () => void; done: Promise<void> } {
  const { promise: done, resolve } = Promise.withResolvers<void>()
  let isFirst = true
  const onBatch = () => {
    if (!isFirst) return
    isFirst = false
    act()
    resolve()
  }
  return { onBatch, done }
}

test('workers start together, report what they run on, and leave nothing when they are drained', async t => {
  const { target } = classifierFile(t, MARK)
  const { supervisor, workers } = supervise(t, target)
  const { versions } = await supervisor.ready
  await until('each has its Python', async () => workers().every(({ pid }) => startedBy(pid).length === 1))
  assert.match(`${versions['python']} ${versions['pandas']}`, /^3\.\d+\S* \d+\.\d+\S*$/)
  const running = workers()
  const pythons = running.flatMap(({ pid }) => startedBy(pid))
  assert.equal(running.length, 2)
  for (const { pid } of running) assert.match(readFileSync(`/proc/${pid}/cmdline`, 'utf8'), /--max-semi-space-size=2\0/)
  const lines = running.map(({ pid }) => readFileSync(`/proc/${pid}/cmdline`, 'utf8'))
  for (const n of [1, 2])
    assert.equal(lines.filter(line => line.includes(`-${process.pid}-${n}"`)).length, 1, 'ps tells them apart')
  const [forks] = new Set(pythons.map(({ parent }) => parent))
  assert.deepEqual(
    pythons.map(({ parent }) => parent),
    [forks, forks],
    'one Python has imported pandas for both',
  )
  const all = descendants(process.pid).filter(({ pid, parent }) => pid === forks || parent === forks)
  assert.equal(all.length, 3)
  await supervisor.close('drain')
  await untilGone([...running, ...all])
})

test('a worker that dies once the command was told to stop is not started again', async t => {
  const stop = new AbortController()
  const { supervisor, workers, said } = supervise(t, classifierFile(t, MARK).target, { signal: stop.signal })
  await until('both run', () => workers().length === 2)
  const started = workers()
  stop.abort()
  for (const { pid } of started) process.kill(pid, 'SIGKILL')
  await until('this process knows of their end', () => !started.some(({ pid }) => existsSync(`/proc/${pid}`)))
  assert.deepEqual([said, workers()], [[], []])
  await supervisor.close('kill')
})

test('a worker that stands still when its run is complete is killed after a moment', async t => {
  const { supervisor, workers } = supervise(t, classifierFile(t, MARK).target)
  const { pipeline, ends, written } = await pipelineFor(t, 400)
  supervisor.work({ brokers: [await brokerAddress()] }, { pipeline, ownPartitions: 4 })
  await Promise.race([ends(), supervisor.failed])
  assert.deepEqual(written, marked(400))
  const all = workers().flatMap(worker => [worker, ...startedBy(worker.pid)])
  await freeze(workers()[0]!.pid)
  const began = performance.now()
  await supervisor.close('drain')
  assert.ok(performance.now() - began < 15_000, 'nobody waited for it as for a last batch')
  await untilGone(all)
})

// If the limit is too low for the threads of OpenBLAS, numpy hangs in a fork. In a process of its own it fails by name.
test('workers whose Python has a limit of memory do not share an import', async t => {
  const { supervisor, workers } = supervise(t, classifierFile(t, MARK).target, { classifierMemory: 4000 })
  await supervisor.ready
  await until('each has its Python', async () => workers().every(({ pid }) => startedBy(pid).length === 1))
  for (const { pid } of workers())
    assert.deepEqual(
      [pid],
      startedBy(pid).map(({ parent }) => parent),
    )
  await supervisor.close('drain')
})

test('if the fork server is killed in the middle of a job, workers start their own Pythons, and every row comes once', async t => {
  const { target } = classifierFile(t, MARK)
  const { onBatch, done } = onFirstBatch(() => {
    const [python] = startedBy(workers()[0]!.pid)
    process.kill(python!.parent, 'SIGKILL')
  })
  const { supervisor, workers, said } = supervise(t, target, { onBatch, reports: true })
  const before = workers().map(({ pid }) => pid)
  const { pipeline, ends, written } = await pipelineFor(t, 400, done)
  // A Python that dies before it can classify takes its worker with it, which is started again.
  const isReady = () => supervisor.working.workers.every(({ state }) => state !== 'starting')
  await until('both can classify', isReady)
  supervisor.work({ brokers: [await brokerAddress()] }, { pipeline })
  await Promise.race([ends(), supervisor.failed])
  assert.deepEqual(written, marked(400))
  assert.deepEqual(
    workers().map(({ pid }) => pid),
    before,
  )
  const pythons = workers().flatMap(({ pid }) => startedBy(pid).map(({ parent }) => parent === pid))
  assert.ok(pythons.length > 0 && pythons.every(Boolean))
  assert.deepEqual(
    said.filter(text => text.includes('left running')),
    [],
  )
  await supervisor.close('drain')
})

test('of processes that are left, those of the classifier are named, and those of rowmill are not', async t => {
  const { folder } = classifierFile(t, '')
  const target = join(folder, 'c.mts')
  const apart = fileURLToPath(new URL('../../src/work/read-apart-process.ts', import.meta.url))
  const env = `{ ...process.env, NODE: process.execPath, APART: ${JSON.stringify(apart)} }`
  // It reads until its input ends.
  const lines = [
    "import { spawn } from 'node:child_process'",
    `spawn('sh', ['-c', 'sleep 1006 | "$NODE" "$APART"'], { detached: true, stdio: 'ignore', env: ${env} })`,
    'export default (rows: string[][]) => rows',
  ]
  writeFileSync(target, `${lines.join('\n')}\n`)
  const { supervisor, said, workers } = supervise(t, target, { workers: 1 })
  await supervisor.ready
  const started = () => workers().flatMap(({ pid }) => descendants(pid))
  const isApart = ({ pid }: ProcessInfo) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(apart)
  const isRunning = () => started().some(isApart) && started().some(({ name }) => name === 'sleep')
  await until('the processes run', async () => isRunning()) // a shell that forked is `sh` until it becomes what it starts
  const all = started()
  await supervisor.close('drain')
  await untilGone(all)
  const [line, ...others] = said.filter(text => text.includes('left running by the classifier'))
  assert.deepEqual(others, [])
  assert.match(line!, /sleep \(\d+\)/)
  const { pid } = all.find(({ name }) => !['sh', 'sleep'].includes(name))!
  assert.ok(!line!.includes(`(${pid})`), line)
})

test('workers killed before they were ready leave nothing', async t => {
  const { target } = classifierFile(t, `import time\ntime.sleep(600)\n${MARK}`)
  const { supervisor, workers } = supervise(t, target)
  const all = workers()
  assert.equal(all.length, 2)
  await supervisor.close('kill')
  await untilGone(all)
  await supervisor.close('kill')
})

test('more workers than processes share these, and each has its own Python', async t => {
  const { target } = classifierFile(t, MARK)
  const { supervisor, workers } = supervise(t, target, { workers: 5, processes: 2 })
  const pythons = () => workers().map(({ pid }) => startedBy(pid).length)
  await until('each worker has its Python', async () => pythons().toSorted().join() === '2,3')
  const all = [...workers(), ...workers().flatMap(({ pid }) => startedBy(pid))]
  await supervisor.ready
  await supervisor.close('drain')
  await untilGone(all)
})

for (const [what, own] of [
  ['of a run', true],
  ['of a shared pipeline', false],
] as const) {
  test(`all workers ${what} that were in a killed process start again, which counts as one restart`, async t => {
    const { target } = classifierFile(t, MARK)
    const { onBatch, done } = onFirstBatch(() => {
      process.kill(workers()[0]!.pid, 'SIGKILL')
    })
    const { supervisor, workers, said } = supervise(t, target, { onBatch, workers: 8, processes: 2 })
    const { pipeline, ends, written } = await pipelineFor(t, 400, done)
    supervisor.work({ brokers: [await brokerAddress()] }, { pipeline, ownPartitions: own ? 4 : null })
    await Promise.race([ends(), supervisor.failed])
    assert.deepEqual(written, marked(400))
    const died = said.filter(text => text.includes('died'))
    assert.equal(died.length, 1)
    assert.match(died[0]!, /^workers (\S+, ){3}\S+ died \(SIGKILL\); starting them again$/)
    await until('each of them has a Python again', async () =>
      workers().every(({ pid }) => startedBy(pid).length === 4),
    )
    assert.equal(workers().length, 2)
    await supervisor.close('drain')
  })
}

test('a worker killed with SIGKILL is restarted, and the job completes with every row once', async t => {
  const { target } = classifierFile(t, MARK)
  const { onBatch, done } = onFirstBatch(() => {
    process.kill(workers()[0]!.pid, 'SIGKILL')
  })
  const { supervisor, workers, said } = supervise(t, target, { onBatch })
  const { pipeline, ends, written } = await pipelineFor(t, 400, done)
  supervisor.work({ brokers: [await brokerAddress()] }, { pipeline })
  const [rows, collected] = await Promise.race([ends(), supervisor.failed])
  assert.equal(rows, 400)
  assert.deepEqual(written, marked(400))
  assert.equal(collected.rows, 400)
  assert.equal(said.filter(text => /died \(SIGKILL\); starting it again/.test(text)).length, 1)
  assert.equal(workers().length, 2)
  await supervisor.close('drain')
})

test('a worker that is done lends its classifier to a slow one, also when it is killed meanwhile', async t => {
  const { target, folder } = classifierFile(t, '')
  // The fast one counts its batches. The slow one takes 1 s for each until the fast one has 36: under any load it stays the slow one.
  const slow = [
    'import os, time',
    `FAST = ${JSON.stringify(join(folder, 'fast'))}`,
    'try:',
    `    os.close(os.open(${JSON.stringify(join(folder, 'first'))}, os.O_CREAT | os.O_EXCL))`,
    '    is_slow = True',
    'except FileExistsError:',
    '    is_slow = False',
    'def mark(df):',
    '    if is_slow:',
    '        end = time.monotonic() + 1',
    '        while time.monotonic() < end and not (os.path.exists(FAST) and os.path.getsize(FAST) >= 36):',
    '            time.sleep(0.01)',
    '    else:',
    '        with open(FAST, "a") as batches:',
    '            batches.write(".")',
    '    df["DONE"] = "yes"',
    '',
  ]
  writeFileSync(join(folder, 'c.py'), slow.join('\n'))
  t.after(() => delete process.env['ROWMILL_CRASH'])
  process.env['ROWMILL_CRASH'] = `lent-classified:3 ${join(folder, 'crashed')}`
  const { supervisor, said } = supervise(t, target)
  await until('both are ready', async () => existsSync(join(folder, 'first')))
  await supervisor.ready
  const { pipeline, ends, written } = await pipelineFor(t, 300)
  supervisor.work({ brokers: [await brokerAddress()] }, { pipeline })
  const [, { rowsByWorker }] = await Promise.race([ends(), supervisor.failed])
  assert.deepEqual(written, marked(300))
  const most = Math.max(...rowsByWorker.values())
  assert.ok(most >= 180, `the fast worker classified ${most} of 300 rows; without lending it has half of them`)
  assert.equal(said.filter(text => /died \(SIGKILL\); starting it again/.test(text)).length, 1)
  await supervisor.close('drain')
})

test('workers that die repeatedly end the run, with the cause', async t => {
  const { target } = classifierFile(t, `import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\n${MARK}`)
  const { supervisor, said, workers } = supervise(t, target, { workers: 1 })
  const error = { code: 'WORKER_DIED', message: /died \(SIGKILL\) and 3 restarts did not help/ }
  await Promise.all([assert.rejects(supervisor.failed, error), assert.rejects(supervisor.ready, error)])
  const restarts = said.filter(text => !text.startsWith('waiting for classifier')) // a busy machine may say this too
  assert.equal(restarts.filter(text => text.includes('starting it again')).length, 3)
  assert.equal(restarts.length, 3)
  assert.deepEqual(workers(), [])
})

test('a classifier that dies at the same row repeatedly ends the job by name, but no worker', async t => {
  const dies =
    'import os\ndef mark(df):\n    if "text 7" in list(df["TEXT"]):\n        os._exit(9)\n    df["DONE"] = "yes"\n'
  const { target } = classifierFile(t, dies)
  const { supervisor, workers } = supervise(t, target)
  const { pipeline, ends } = await pipelineFor(t, 100)
  supervisor.work({ brokers: [await brokerAddress()] }, { pipeline })
  const message = /row 7 \(line \d+\) was rejected: CLASSIFIER_DIED .*exit code 9/
  await Promise.race([assert.rejects(ends(), { code: 'REJECTS_OVER_BUDGET', message }), supervisor.failed])
  assert.equal(workers().length, 2)
})

test('a classifier that cannot be loaded ends the run at once: a restart cannot help', async t => {
  const { target } = classifierFile(t, MARK)
  const { supervisor, said } = supervise(t, target.replace(':mark', ':nobody'))
  await assert.rejects(supervisor.ready, { code: 'CLASSIFIER_NOT_FOUND' })
  await assert.rejects(supervisor.failed, { code: 'CLASSIFIER_NOT_FOUND' })
  assert.deepEqual(
    said.filter(text => text.includes('starting it again')),
    [],
  )
})

test('a worker that is dead when the work comes is restarted and gets it', async t => {
  const { target } = classifierFile(t, MARK)
  const { supervisor, workers } = supervise(t, target, { workers: 1 })
  await supervisor.ready
  const { pipeline, ends, written } = await pipelineFor(t, 20)
  const brokers = [await brokerAddress()]
  const [victim] = workers()
  process.kill(victim!.pid, 'SIGKILL')
  while (!isDead(victim!.pid)); // and this process must not hear of it yet
  supervisor.work({ brokers }, { pipeline })
  await Promise.race([ends(), supervisor.failed])
  assert.deepEqual(written, marked(20))
  await supervisor.close('drain')
})

test('a worker that still imports its classifier takes no partition from those that can classify', async t => {
  const { target: late, folder } = classifierFile(t, '')
  const gate = join(folder, 'gate')
  const waits = `import os, time\nwhile not os.path.exists(${JSON.stringify(gate)}):\n    time.sleep(0.01)\n${MARK}`
  writeFileSync(join(folder, 'c.py'), waits)
  const { pipeline, admin, ends, written } = await pipelineFor(t, 40)
  const place = { pipeline, bulk: true }
  const brokers = [await brokerAddress()]
  const joining = supervise(t, late, { workers: 1 })
  joining.supervisor.work({ brokers }, place) // before the others import pandas: it would be a member long before them
  const { supervisor } = supervise(t, classifierFile(t, MARK).target, { workers: 1 })
  supervisor.work({ brokers }, place)
  await Promise.race([ends(), supervisor.failed])
  assert.deepEqual(written, marked(40))
  const group = workersGroup(pipeline)
  assert.equal(await admin.groupMembers(group), 1)
  writeFileSync(gate, '')
  await until('it joins', async () => (await admin.groupMembers(group)) === 2)
  await Promise.all([joining.supervisor.close('drain'), supervisor.close('drain')])
})

function isDead(pid: number): boolean {
  return /\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
}

test('a worker waits for a slow import of its classifier, and that is logged', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { target } = classifierFile(t, `import time\ntime.sleep(600)\n${MARK}`)
  const { supervisor, said } = supervise(t, target, { workers: 1 })
  t.mock.timers.tick(9_999)
  assert.deepEqual(said, [])
  t.mock.timers.tick(1)
  assert.deepEqual(said, [`waiting for classifier ${target} to be imported`])
  await supervisor.close('kill')
})

for (const [what, signal, own, sessionTimeoutMs] of [
  ['of a run is killed', 'SIGKILL', true, 60_000],
  ['of a run stands still', 'SIGSTOP', true, 2000],
  ['of a shared pipeline is killed', 'SIGKILL', false, 60_000],
] as const) {
  test(`if a worker ${what}, the others get its rows before it can classify again`, async t => {
    const { folder } = classifierFile(t, '')
    const starts = join(folder, 'starts')
    mkdirSync(starts)
    const third = `if len(os.listdir(${JSON.stringify(starts)})) > 2:\n    time.sleep(600)\n`
    const counts = `import os, time\nopen(os.path.join(${JSON.stringify(starts)}, str(os.getpid())), "x").close()\n${third}`
    writeFileSync(join(folder, 'c.py'), `${counts}${MARK}`)
    const { onBatch, done } = onFirstBatch(() => {
      process.kill(workers()[0]!.pid, signal)
    })
    const { supervisor, workers, said } = supervise(t, `${join(folder, 'c.py')}:mark`, { onBatch })
    const { pipeline, admin, ends, written } = await pipelineFor(t, 400, done)
    await until('both can classify', async () => readdirSync(starts).length === 2)
    const settings = { brokers: [await brokerAddress()], limits: { sessionTimeoutMs } }
    supervisor.work(settings, { pipeline, ownPartitions: own ? 4 : null })
    const began = performance.now()
    await Promise.race([ends(), supervisor.failed])
    assert.ok(performance.now() - began < 30_000, 'nobody waited for its session')
    assert.deepEqual(written, marked(400))
    if (own) assert.equal(await admin.groupMembers(workersGroup(pipeline)), 0)
    assert.equal(said.filter(text => text.includes('has not answered for 2 s')).length, signal === 'SIGSTOP' ? 1 : 0)
    assert.equal(said.filter(text => /died \(SIGKILL\); starting it again/.test(text)).length, 1)
  })
}
