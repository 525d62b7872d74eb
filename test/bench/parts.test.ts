import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { gnuParallel, partOf } from '../../bench/contenders.ts'
import { choose } from '../../bench/part.ts'
import { PARTS } from '../../bench/parts/index.ts'
import { pollingBetween } from '../../bench/parts/polling.ts'
import { allowed, quarterTable } from '../../bench/parts/quarter.ts'
import { watchedTable } from '../../bench/parts/watched.ts'
import { differenceTable, type Measured, speedUps, timeTable, writeSection } from '../../bench/report.ts'

const run = (name: string, round: number, seconds: number): Measured => ({ name, rows: 10, round, seconds, usage: [] })

test('--only chooses parts by their names, and contenders by theirs, in all parts that have them', () => {
  const names = (only?: string) => choose(PARTS, only).parts.map(({ name }) => name)
  assert.deepEqual(
    names(),
    PARTS.map(({ name }) => name),
  )
  assert.deepEqual(choose(PARTS, 'kill,pass'), {
    parts: PARTS.filter(({ name }) => /kill|pass/.test(name)),
    contenders: null,
  })
  assert.deepEqual(names('serial job'), ['start', 'speed', 'slower-speed'])
  assert.deepEqual(names('speed,serial job'), ['speed'])
  assert.deepEqual(choose(PARTS, 'speed,serial job').contenders, ['serial job'])
  assert.throws(() => choose(PARTS, 'sped'), /--only sped: no part and no contender/)
})

test('no name of a part or contender has a comma', () => {
  const names = PARTS.flatMap(({ name, contenders }) => [name, ...contenders])
  assert.deepEqual(
    names.filter(name => name.includes(',')),
    [],
  )
})

test('a speed-up compares the runs of one round, so a load that changes between rounds does not count', () => {
  const measured = [run('serial job', 0, 4), run('fast', 0, 2), run('fast', 1, 20), run('serial job', 1, 40)]
  assert.deepEqual(speedUps(measured, 'fast', 'serial job'), [2, 2])
  assert.match(
    timeTable(measured, 'serial job')[3]!,
    /^\| fast \| 11\.00 \| 2\.00 \(2\.00 to 2\.00\) \| 2\.00, 20\.00 \|/,
  )
  assert.match(differenceTable(measured, 'serial job')[3]!, /^\| fast \| 11\.00 \| -11\.00 \(-20\.00 to -2\.00\) \|/)
})

test('CPU time for each second is that between two looks, and a part that was not there before counts from zero', () => {
  const usage = (name: string, cpuSeconds: number) => ({ name, processes: 1, cpuSeconds, peakBytes: 0 })
  const { msASecond } = pollingBetween('x', {
    before: [usage('broker', 3), usage('Python', 1)],
    after: [usage('broker', 3.5), usage('Python', 9), usage('worker', 0.2)],
    seconds: 10,
    batches: 20,
  })
  assert.deepEqual(
    [...msASecond],
    [
      ['broker', 50],
      ['command', 0],
      ['worker', 20],
    ],
  )
})

test('the capacity shares what is longer than the start among the workers', () => {
  assert.equal(allowed({ start: 1, full: 11, workers: 1.25 }), 9)
  const measured = [
    run('one full worker and few rows', 0, 1),
    run('one full worker', 0, 11),
    run('one full and one at a quarter', 0, 9.9),
  ]
  const [last] = quarterTable(measured, 0.25).slice(-1)
  assert.equal(last, '| one full and one at a quarter | 9.90 | 9.00 | 10.0 | 0.00 | 9.90 | |')
})

test('what watching costs is compared with the unwatched run of the same round, and the monitor counts alone', () => {
  const usage = (name: string, cpuSeconds: number) => ({ name, processes: 1, cpuSeconds, peakBytes: 0 })
  const measured = [
    { ...run('nobody watches', 0, 4), usage: [usage('command', 2), usage('broker', 2)] },
    {
      ...run('monitor and page', 0, 5),
      usage: [usage('command', 2), usage('broker', 3), { ...usage('monitor', 0.5), peakBytes: 120e6 }],
    },
  ]
  assert.equal(watchedTable(measured).at(-1), '| monitor and page | 5.00 | 25.0 | 5.00 | 25.0 | 0.50 | 120 | 5.00 |')
})

test('a section replaces the one with its title and leaves the others', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'rowmill-bench-'))
  t.after(() => rm(folder, { recursive: true }))
  const file = join(folder, 'results.md')
  const write = (title: string, line: string) => writeSection(file, { title, how: 'So.', lines: [line] }, 'Here.')
  await write('Speed, 10 rows', 'old')
  await write('Speed, 100 rows', 'kept')
  await write('Speed, 10 rows', 'new')
  const text = await readFile(file, 'utf8')
  assert.match(
    text,
    /^# Results\n\n.*\n\n## Speed, 10 rows\n\nHere\. So\.\n\nnew\n\n## Speed, 100 rows\n\nHere\. So\.\n\nkept\n$/,
  )
  await writeFile(file, text.replace('kept', 'kept\n\nby hand'))
  await write('Speed, 10 rows', 'newest')
  assert.match(await readFile(file, 'utf8'), /newest\n\n## Speed, 100 rows\n\nHere\. So\.\n\nkept\n\nby hand\n$/)
})

test('each process counts for its part, and a job within GNU parallel is Python', () => {
  const command = gnuParallel('/venv/bin/python').command('in.csv', 'out.csv').slice(5).join(' ')
  assert.equal(partOf(`perl /usr/bin/${command} `), 'parallel')
  assert.equal(partOf('/venv/bin/python3.11 examples/serial_job.py /dev/stdin /dev/stdout '), 'Python')
  assert.equal(partOf('/usr/bin/java -Xmx512m -cp libs/* kafka.Kafka server.properties '), 'broker')
  assert.equal(partOf('/usr/bin/java -cp kafka-streams-1/* PassThrough a b c '), 'Kafka Streams')
  assert.equal(partOf('node src/work/worker-process.ts {} '), 'worker')
  assert.equal(partOf('node bin/rowmill.js run '), 'command')
  assert.equal(partOf('sh -c x.py '), null)
})
