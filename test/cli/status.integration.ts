/** rowmill status as a process: on a real broker, with real workers that are killed and frozen, and real runs. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { BIN, rowmill, startProgram, startRowmill, testFolder } from '../helpers/cli.ts'
import { placeForRuns, waitingRun } from '../helpers/kept-runs.ts'
import { python } from '../helpers/python.ts'
import { mountDisk, whyNoDisk } from '../helpers/small-disk.ts'
import { until } from '../helpers/until.ts'
import { waitingClassifier } from '../helpers/waiting-classifier.ts'

/** A pipeline of this test, with a file of rows, and commands on it. The classifier waits at row 100 until `go` is written. */
async function place(t: TestContext, rows = 400) {
  const { pipeline } = await testPipeline(t)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
  const folder = testFolder(t)
  const input = join(folder, 'in.csv')
  writeFileSync(input, `ID,A\n${Array.from({ length: rows }, (_, row) => `${row},x${row}\n`).join('')}`)
  const classifier = waitingClassifier(folder)
  const start = (...args: string[]) => {
    const started = startRowmill(args, { env })
    t.after(() => started.child.kill('SIGKILL'))
    return started
  }
  const does = async (...args: string[]) => {
    const { code, stdout, stderr } = await rowmill(args, { env })
    assert.equal(code, 0, stderr)
    return stdout
  }
  const publish = (job: string, ...args: string[]) =>
    does('publish', input, '--job', job, '--batch-rows', '10', ...args)
  const work = (...args: string[]) =>
    start('work', '--workers', '1', '--batch-rows', '10', '--classifier', classifier.file, ...args)
  const status = (...args: string[]) => rowmill(['status', ...args], { env })
  const look = async (...args: string[]) => {
    const { code, stdout, stderr } = await status(...args, '-o', 'json')
    assert.equal(stderr, '')
    return { code, ...JSON.parse(stdout) }
  }
  return { pipeline, env, folder, input, classifier, start, does, publish, work, status, look }
}

test('a job is shown from its first row to its end, with an exit code for each state', async t => {
  const { folder, classifier, does, publish, work, status, look } = await place(t)
  await does('topics', 'apply', '--partitions', '4')
  assert.deepEqual((await look()).jobs, [])
  const unknown = await status('orders')
  assert.equal(unknown.code, 2)
  assert.match(unknown.stderr, /^rowmill: no job orders in pipeline \S+: .* \[USAGE\]\n$/)

  await publish('orders')
  const published = await look('orders')
  assert.equal(published.code, 7)
  assert.deepEqual(published.jobs[0].rows, { total: 400, published: 400, classified: 0, written: null, rejected: 0 })

  work()
  await until('the classifier waits', () => existsSync(classifier.waits))
  const text = await status()
  assert.equal(text.code, 7)
  assert.match(text.stdout, /^job orders is running: all rows are published, \d+ % classified/)
  assert.match(text.stdout, /\n\n1 worker: /)
  const isStalled = async () => {
    const { code, exit, jobs } = await look('--job', 'orders', '--stalled-after', '1')
    return code === 8 && exit === 8 && jobs[0].phase === 'stalled'
  }
  await until('it is stalled', isStalled)

  writeFileSync(classifier.go, '')
  await does('collect', join(folder, 'out.csv'), '--job', 'orders')
  const complete = await look('orders')
  assert.deepEqual([complete.code, complete.jobs[0].phase, complete.jobs[0].rows.classified], [0, 'complete', 400])
})

test('a worker shows its batch, and one that is frozen is said to be silent, with the command that helps', async t => {
  const { classifier, publish, work, look, status } = await place(t)
  await publish('orders')
  const worker = work()
  await until('the classifier waits', () => existsSync(classifier.waits))
  await until('it reports its batch', async () => (await look()).workers[0]?.batch?.rows === 10)
  const text = await status('orders')
  assert.match(text.stdout, /\n\nWhat it waits for: row \d+ \(partition \d+\)/)
  assert.match(
    text.stdout.replaceAll(/\n {4}/g, ' '),
    /\n1 worker: 1 busy\n {2}time of all workers: \d+ % [^\n]*\n {2}\S+ \(pid \d+\): classifies 10 rows from row \d+ for /,
  )
  worker.child.kill('SIGSTOP')
  await until('it is silent', async () => (await look()).workers[0].state === 'silent')
  const frozen = await status()
  assert.match(
    frozen.stdout.replaceAll(/\n */g, ' '),
    / which has not been heard of for .* To help: end rowmill work on \S+ \(process \d+\) if it hangs, .* rowmill work --classifier \S+\/classifier\.py /,
  )
})

test('a job whose publisher was killed waits for it, with the command that resumes it', async t => {
  const { env, folder, classifier, does, work, look, status } = await place(t)
  await does('topics', 'apply', '--partitions', '4')
  const input = join(folder, 'large.csv')
  writeFileSync(input, `ID,A\n${Array.from({ length: 300_000 }, (_, row) => `${row},x${row}\n`).join('')}`)
  const crash = { ROWMILL_CRASH: `rows-acked:3 ${join(folder, 'mark')}` }
  const killed = await rowmill(['publish', input, '--job', 'orders', '--batch-rows', '10'], {
    env: { ...env, ...crash },
  })
  assert.equal(killed.signal, 'SIGKILL', killed.stderr)
  const [job] = (await look('orders')).jobs
  assert.equal(job.phase, 'publishing')
  assert.ok(job.rows.published > 0 && job.rows.published < 300_000, `${job.rows.published}`)
  writeFileSync(classifier.go, '')
  work()
  await until('it waits for its publisher', async () => {
    const seen = await look('orders', '--stalled-after', '1')
    return seen.code === 8 && seen.jobs[0].waitsFor?.reason === 'publisher-silent'
  })
  const { stdout } = await status('orders', '--stalled-after', '1')
  assert.match(
    stdout.replaceAll(/\n +/g, ' '),
    /\nTo help: resume the publisher, in the folder of its file, with the options that it began with:\nrowmill publish large\.csv --job orders /,
  )
})

test('rejects and a failed job are in the exit code and in words, with the command that helps', async t => {
  const { input, folder, does, publish, start, status, look } = await place(t, 20)
  const file = join(folder, 'refuses.py')
  writeFileSync(
    file,
    'def classify_df(df):\n    if "7" in list(df.index) or 7 in list(df.index):\n        raise ValueError("<img src=x onerror=alert(1)> \\x1b[2J")\n',
  )
  const worker = start('work', '--workers', '1', '--classifier', file)
  await publish('lenient', '--max-rejects', '1')
  await does('work', '--until-done', 'lenient', '--classifier', file, '--workers', '1')
  const rejected = await look('lenient')
  assert.deepEqual([rejected.code, rejected.jobs[0].rows.rejected], [4, 1])
  const latest = await look()
  assert.deepEqual([latest.code, latest.jobs[0].phase, latest.jobs[0].rows.rejected], [4, 'complete', 1])
  const list = await status('--follow')
  assert.equal(list.code, 4)
  const { stdout } = await status('lenient')
  assert.match(stdout, /^job lenient is complete, but 1 row was rejected\n/)
  assert.match(
    stdout.replaceAll(/\n */g, ' '),
    /row 7 \(line 9\): CLASSIFIER_FAILED .*<img src=x onerror=alert\(1\)> \\u001b\[2J/,
  )
  assert.equal(stripVTControlCharacters(stdout), stdout)

  const out = join(folder, 'strict.csv')
  await publish('strict')
  assert.equal((await start('collect', out, '--job', 'strict').finished).code, 5)
  const failed = await status('strict')
  assert.equal(failed.code, 9, failed.stdout)
  assert.match(failed.stdout, /^job strict failed\n/)
  assert.match(failed.stdout, /\[REJECTS_OVER_BUDGET\]/)
  const line = /: job strict: row 7 \(line 9\) was rejected: CLASSIFIER_FAILED [^\n]*; a copy is in \S+\.rejects\n/
  await until('its worker says so', () => line.test(worker.said()))

  worker.child.kill('SIGTERM')
  await worker.finished // or it may complete the job before it is cancelled
  await publish('unwanted')
  await does('jobs', 'cancel', '--job', 'unwanted')
  const cancelled = await status('unwanted')
  assert.equal(cancelled.code, 9)
  assert.match(
    cancelled.stdout.replaceAll(/\n */g, ' '),
    /^job unwanted was cancelled opened [^;]*, by publish on [^;]*; /,
  )
  assert.ok(existsSync(input))
})

test('a collect that fails at once, on a full disk, is why the job has no file', {
  skip: await whyNoDisk(),
}, async t => {
  const { folder, input, classifier, start, does, look } = await place(t, 5000)
  const disk = join(folder, 'disk')
  await does('publish', input, '--job', 'orders')
  writeFileSync(classifier.go, '')
  await does('work', '--workers', '1', '--classifier', classifier.file, '--until-done', 'orders')
  const output = join(disk, 'out.csv')
  const unmount = await mountDisk(disk, '64k')
  const failed = await start('collect', output, '--job', 'orders').finished.finally(unmount)
  assert.equal(failed.code, 1, failed.stderr)
  const { code, jobs } = await look('orders')
  assert.equal(code, 7)
  assert.match(
    jobs[0].waitsFor.text,
    /nobody writes them: rowmill collect on .* ended before its output was complete: cannot write/,
  )
  assert.match(jobs[0].help.command, new RegExp(`^rowmill collect ${output} --job orders `))

  await does('collect', join(folder, 'out.csv'), '--job', 'orders')
  assert.deepEqual(await look('orders').then(({ code, jobs }) => [code, jobs[0].phase, jobs[0].help]), [
    0,
    'complete',
    null,
  ])
})

test('several jobs are a list, and --follow writes lines until none is open', async t => {
  const { classifier, publish, work, start, status } = await place(t)
  await publish('first')
  await publish('second')
  const list = await status()
  assert.equal(list.code, 7)
  assert.match(
    list.stdout,
    /^pipeline \S+ at \S+: 2 open jobs, no worker\njob first: row 0 [\s\S]*\n {2}job second for the same reason\nTo help: start a worker:\nrowmill work .*\n {2}first {2,}classifying .*\n {2}second {2,}classifying /,
  )
  const following = start('status', '--follow')
  await once(createInterface({ input: following.child.stdout }), 'line')
  writeFileSync(classifier.go, '')
  work()
  const { code, stdout, stderr } = await following.finished
  assert.deepEqual([code, stderr], [0, ''])
  for (const job of ['first', 'second']) {
    assert.match(stdout, new RegExp(`UTC job ${job} is running: `))
    assert.match(stdout, new RegExp(`UTC job ${job} is complete; published 400, classified 400, rejected 0\\n`))
  }
})

test('--follow of the only open job says so when that is removed', async t => {
  const { publish, does, start } = await place(t)
  await publish('orders')
  const following = start('status', '--follow')
  await once(createInterface({ input: following.child.stdout }), 'line')
  await does('jobs', 'rm', 'orders', '--force')
  const { code, stdout, stderr } = await following.finished
  assert.deepEqual([code, stderr], [9, ''])
  assert.match(stdout, /\nJob orders was removed from the pipeline\.\n$/)
})

test('--follow -o json prints an object a second, and ends with the exit code of the job', async t => {
  const { classifier, publish, work, start } = await place(t)
  await publish('orders')
  const following = start('status', 'orders', '--follow', '-o', 'json')
  await once(createInterface({ input: following.child.stdout }), 'line')
  writeFileSync(classifier.go, '')
  work()
  const { code, stdout } = await following.finished
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
  assert.deepEqual([code, lines[0].exit, lines.at(-1).exit], [0, 7, 0])
  assert.ok(lines.every(({ jobs }) => jobs.length === 1))
})

test('on a terminal it draws on the second screen, within its size, and gives the first back at Ctrl-C and at the end', async t => {
  const { env, classifier, publish, work } = await place(t)
  await publish('orders')
  const onTerminal = (columns: number, keys: string) => {
    const size = [String(columns), '24']
    const script = join(import.meta.dirname, '../fixtures/in_a_terminal.py')
    const command = [process.execPath, BIN, 'status', 'orders', '--follow']
    return startProgram(python, [script, ...size, 'job orders', keys, ...command], { env: { ...env, TERM: 'xterm' } })
  }
  const interrupted = await onTerminal(40, '\u0003').finished
  assert.equal(interrupted.code, 130, interrupted.stdout)
  const [drawn, after] = interrupted.stdout.split('\u001b[?7h\u001b[?25h\u001b[?1049l') as [string, string]
  assert.ok(drawn.startsWith('\u001b[?1049h'))
  const lines = stripVTControlCharacters(drawn).split(/[\r\n]+|\^C/)
  const isCommand = (line: string) => line.startsWith('rowmill work ') // it is one line for whoever copies it
  assert.deepEqual(
    lines.filter(line => line.length > 40 && !isCommand(line)),
    [],
  )
  assert.match(after, /rowmill: interrupted by SIGINT while watching; the job continues \[INTERRUPTED\]/)

  const following = onTerminal(80, '')
  writeFileSync(classifier.go, '')
  work()
  const { code, stdout } = await following.finished
  assert.equal(code, 0, stdout)
  assert.match(stripVTControlCharacters(stdout.split('\u001b[?1049l')[1]!), /^job orders is complete\r\n/)
})

test('status in another terminal finds the run, follows it to its end, and says how to resume one that was killed', async t => {
  const runs = placeForRuns(t, 400)
  const { env } = runs
  const elsewhere = testFolder(t)
  const status = (...args: string[]) => rowmill(['status', ...args], { env, cwd: elsewhere })
  const none = await status()
  assert.equal(none.code, 2)
  assert.match(none.stderr, /^rowmill: no run, collect or work of this user .* \[USAGE\]\n$/)

  const { output, go, child, finished } = await waitingRun(t, runs)
  const running = await status()
  assert.equal(running.code, 7, running.stderr)
  assert.match(running.stdout, /^job \S+ is running: all rows are published, \d+ % classified/)
  assert.match(running.stdout.replaceAll(/\n */g, ' '), new RegExp(`It writes ${output}\\.`))
  child.kill('SIGKILL')
  await finished
  const killed = await status(output)
  assert.equal(killed.code, 8)
  assert.match(killed.stdout, /\nWhat it waits for: the process of rowmill run that writes/)
  assert.ok(killed.stdout.split('\n').includes(`rowmill run --resume ${output}`), killed.stdout)

  const resumed = startRowmill(['run', '--resume', output], { env })
  t.after(() => resumed.child.kill('SIGKILL'))
  await until('the resumed run is found', async () => (await status()).code === 7)
  const following = startRowmill(['status', '--follow'], { env, cwd: elsewhere })
  t.after(() => following.child.kill('SIGKILL'))
  await once(createInterface({ input: following.child.stdout }), 'line')
  writeFileSync(go, '')
  assert.equal((await resumed.finished).code, 0)
  const followed = await following.finished
  assert.equal(followed.code, 0, followed.stderr)
  assert.match(followed.stdout, / complete/)
  assert.equal((await status(output)).code, 2)
})

test('a run with a broker of its own that was killed is interrupted, although nothing of it answers', async t => {
  const runs = placeForRuns(t, 400)
  const { file, waits } = waitingClassifier(runs.folder)
  const output = join(runs.folder, 'out.csv')
  const args = ['run', runs.input, output, '--no-keep', '--classifier', file, '--workers', '1', '--batch-rows', '50']
  const { child, finished } = startRowmill(args, { env: runs.env })
  t.after(() => child.kill('SIGKILL'))
  await until('the classifier waits', () => existsSync(waits))
  const status = (...more: string[]) => rowmill(['status', ...more], { env: runs.env, cwd: runs.folder })
  assert.equal((await status()).code, 7)
  child.kill('SIGKILL')
  await finished
  const { code, stdout } = await status('out.csv')
  assert.equal(code, 8)
  assert.match(stdout.replaceAll(/\n */g, ' '), /was interrupted: its process has ended\. To resume it: rowmill/)
  assert.match(stdout, new RegExp(`\nrowmill run --resume ${output}\n$`))
  const { exit, note, jobs } = JSON.parse((await status('-o', 'json')).stdout)
  assert.deepEqual([exit, jobs], [8, null])
  assert.match(note, /was interrupted/)
})
