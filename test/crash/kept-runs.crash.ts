import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { keptFiles } from '../../src/broker/kept/kept-folder.ts'
import { rowmill } from '../helpers/cli.ts'
import { untilEnded } from '../helpers/kept-place.ts'
import { placeForRuns, waitingRun } from '../helpers/kept-runs.ts'
import { descendants } from '../helpers/processes.ts'
import { serialJob } from '../helpers/serial.ts'
import { mountDisk, whyNoDisk } from '../helpers/small-disk.ts'
import { until } from '../helpers/until.ts'

test('a run whose keeper gets SIGTERM ends with the line that resumes it, and resumes with the same bytes', async t => {
  const place = placeForRuns(t, 200)
  const { input, env } = place
  const { classifier, go, output, finished, keeper } = await waitingRun(t, place)
  process.kill(keeper.pid, 'SIGTERM')
  const { code, stderr } = await finished
  assert.equal(code, 3, stderr)
  assert.match(stderr, /the local Kafka was ended.*rowmill run --resume/s)
  writeFileSync(go, '')
  const resumed = await rowmill(['run', '--resume', output], { env })
  assert.equal(resumed.code, 0, resumed.stderr)
  assert.equal(readFileSync(output, 'utf8'), await serialJob(input, classifier))
})

test('a run whose broker is killed before it has its topics ends at once, with the line that begins it again', async t => {
  const { folder, kept, input, env, look } = placeForRuns(t)
  const [classifier, output] = [join(folder, 'c.py'), join(folder, 'out.csv')]
  writeFileSync(classifier, 'def classify_df(df):\n    df["DONE"] = "yes"\n')
  const args = (out: string) => ['run', input, out, '--keep', '--classifier', classifier, '--workers', '1']
  const before = await rowmill(args(join(folder, 'before.csv')), { env })
  assert.equal(before.code, 0, before.stderr)
  const broker = descendants((await look()).pid).find(({ name }) => name === 'java')!
  const { runs } = keptFiles(kept)
  await until('the run before is forgotten', () => readdirSync(runs).length === 0)
  let killedAt = 0
  const watched = watch(runs, () => {
    if (killedAt > 0) return
    process.kill(broker.pid, 'SIGKILL')
    killedAt = performance.now()
  })
  const { code, stderr } = await rowmill(args(output), { env })
  const seconds = (performance.now() - killedAt) / 1000
  watched.close()
  assert.equal(code, 3, stderr)
  assert.match(stderr, /BROKER_FAILED.*to start again: rowmill run .*in\.csv/s)
  assert.ok(seconds < 15, `it waited for ${seconds} s, as for a broker that comes back`)
})

test('a run that is resumed after its kept broker was removed with its topics has the same bytes', async t => {
  const place = placeForRuns(t, 200)
  const { input, kept, env } = place
  const { classifier, go, output, child, finished, keeper } = await waitingRun(t, place)
  child.kill('SIGKILL')
  await finished
  process.kill(keeper.pid, 'SIGTERM')
  await untilEnded(keeper)
  rmSync(kept, { recursive: true })
  writeFileSync(go, '')
  const resumed = await rowmill(['run', '--resume', output], { env })
  assert.equal(resumed.code, 0, resumed.stderr)
  assert.equal(readFileSync(output, 'utf8'), await serialJob(input, classifier))
})

test('a disk that fills up under the kept broker ends the run with the line that resumes it, once there is room', {
  skip: await whyNoDisk(),
}, async t => {
  const place = placeForRuns(t, 20_000)
  const { input, env } = place
  const unmount = await mountDisk(env.XDG_STATE_HOME, '300m')
  try {
    const { classifier, go, output, finished, keeper } = await waitingRun(t, place)
    const filler = join(env.XDG_STATE_HOME, 'filler')
    assert.throws(() => writeFileSync(filler, Buffer.alloc(300 * 1024 * 1024)), { code: 'ENOSPC' })
    writeFileSync(go, '')
    const { code, stderr } = await finished
    assert.equal(code, 3, stderr)
    assert.match(stderr, /No space left on device.*rowmill run --resume/s)
    await untilEnded(keeper)
    assert.equal(existsSync(output), false)
    rmSync(filler)
    const resumed = await rowmill(['run', '--resume', output], { env })
    assert.equal(resumed.code, 0, resumed.stderr)
    assert.equal(readFileSync(output, 'utf8'), await serialJob(input, classifier))
  } finally {
    await rowmill(['broker', '--stop'], { env })
    await unmount()
  }
})
