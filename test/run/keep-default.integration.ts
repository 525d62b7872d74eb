/** Every run leaves its local Kafka for later ones, unless it is told not to or cannot. */
import assert from 'node:assert/strict'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { cacheDirectory } from '../../src/broker/jvm/kafka-jars.ts'
import { identify } from '../../src/support/process-identity.ts'
import { BIN, rowmill, startProgram, startRowmill } from '../helpers/cli.ts'
import { untilEnded } from '../helpers/kept-place.ts'
import { placeForRuns, waitingRun } from '../helpers/kept-runs.ts'
import { descendants } from '../helpers/processes.ts'
import { serialJob } from '../helpers/serial.ts'
import { mountDisk, whyNoDisk } from '../helpers/small-disk.ts'
import { until } from '../helpers/until.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.py:a_float')
/** As if the variable, which the tests set, were not there. */
const BY_DEFAULT = { ROWMILL_KEEP: '' }

/** What the log of offsets, and that of the cluster, may take for three runs. The rows of one run take several times as much. */
const MOST_NOTES_BYTES = 256 * 1024

/** What the files in a folder take on its disk: most indexes of Kafka are files with holes. */
function bytesOnDisk(folder: string): number {
  const files = readdirSync(folder, { recursive: true }).map(name => lstatSync(join(folder, String(name))))
  return files.reduce((sum, { blocks }) => sum + blocks * 512, 0)
}

test('a run leaves its Kafka unless --no-keep or ROWMILL_KEEP=false says otherwise, and doctor shows it', async t => {
  const place = placeForRuns(t)
  const env = { ...place.env, ...BY_DEFAULT }
  const run = async (output: string, options: readonly string[], more = {}) => {
    const args = ['run', place.input, join(place.folder, output), '--classifier', CLASSIFIER, '--workers', '1']
    const { code, stderr } = await rowmill([...args, ...options], { env: { ...env, ...more } })
    assert.equal(code, 0, stderr)
    return stderr
  }
  const doctor = async () => /^.* kept-broker .*$/m.exec((await rowmill(['doctor'], { env })).stdout)?.[0]
  const started = /^rowmill: started a local Kafka: it stays for 10 minutes after its last run \(--no-keep: /m
  assert.doesNotMatch(await run('alone.csv', ['--no-keep']), started)
  await run('false.csv', [], { ROWMILL_KEEP: 'false' })
  assert.equal(existsSync(place.kept), false)
  assert.match((await doctor())!, /^ok +kept-broker +no local Kafka was left by a run$/)
  assert.match(await run('kept.csv', []), started)
  const { port } = await place.look()
  const line = `^ok +kept-broker +a local Kafka that a run left: 127\\.0\\.0\\.1:${port}, data in ${place.kept}, ends in 10 min\\.`
  assert.match((await doctor())!, new RegExp(line))
  assert.doesNotMatch(await run('with-keep.csv', ['--keep']), started)
  assert.equal((await place.look()).port, port)
})

test('topics of complete runs do not stay, nor do their bytes: a kept Kafka takes no more disk after six runs than after three', async t => {
  const { folder, input, kept, env } = placeForRuns(t, 5000)
  const data = join(kept, 'data')
  const topics = () => readdirSync(data).filter(name => name.startsWith('rowmill-'))
  const run = async (...outputs: string[]) => {
    for (const output of outputs) {
      const args = ['run', input, join(folder, output), '--keep', '--classifier', CLASSIFIER, '--workers', '1']
      const { code, stderr } = await rowmill(args, { env })
      assert.equal(code, 0, stderr)
    }
    await until('Kafka deletes the files of deleted topics', () => topics().length === 0)
    return bytesOnDisk(kept)
  }
  const before = await run('1.csv', '2.csv', '3.csv')
  const more = (await run('4.csv', '5.csv', '6.csv')) - before
  assert.ok(more <= MOST_NOTES_BYTES, `${more} bytes more after three more runs, before them ${before}`)
  await until('all runs are forgotten', () => readdirSync(join(kept, 'runs')).length === 0)
})

test('broker --stop waits for the run that uses the Kafka; a run that comes meanwhile starts its own', async t => {
  const place = placeForRuns(t, 200)
  const { folder, input, env } = place
  const { classifier, go, output, finished, keeper } = await waitingRun(t, place)
  const stopped = await rowmill(['broker', '--stop'], { env })
  assert.equal(stopped.code, 0)
  assert.match(stopped.stderr, /the kept Kafka ends after the runs that use it: 1/)
  const other = join(folder, 'other.csv')
  const meanwhile = await rowmill(['run', input, other, '--keep', '--classifier', CLASSIFIER, '--workers', '1'], {
    env,
  })
  assert.equal(meanwhile.code, 0, meanwhile.stderr)
  assert.match(meanwhile.stderr, /this run starts a Kafka of its own, because /)
  assert.equal(readFileSync(other, 'utf8'), await serialJob(input, CLASSIFIER))
  writeFileSync(go, '')
  const { code, stderr } = await finished
  assert.equal(code, 0, stderr)
  assert.equal(readFileSync(output, 'utf8'), await serialJob(input, classifier))
  await untilEnded(keeper)
})

test('Ctrl-C while a run starts the Kafka that stays ends both, and leaves nothing', async t => {
  const { folder, input, env } = placeForRuns(t)
  const output = join(folder, 'out.csv')
  const args = ['run', input, output, '--keep', '--classifier', CLASSIFIER, '--workers', '1']
  const { child, finished } = startRowmill(args, { env })
  t.after(() => child.kill('SIGKILL'))
  const java = () => descendants(child.pid!).find(({ name }) => name === 'java')
  await until('the Kafka starts', () => java() !== undefined)
  const [jvm, keeper] = [java()!, descendants(child.pid!).find(({ name }) => name.startsWith('rowmill-keeper'))!].map(
    ({ pid }) => identify(pid)!,
  )
  child.kill('SIGINT')
  const { code, stderr } = await finished
  assert.equal(code, 130, stderr)
  assert.match(stderr, /\[INTERRUPTED\]\nrowmill: to start again: rowmill run \S+ \S+ --keep [^\n]*\n$/)
  await untilEnded(jvm!)
  await untilEnded(keeper!)
  const again = await rowmill(args, { env })
  assert.equal(again.code, 0, again.stderr)
})

/** A home that cannot be written, in a folder of this test, and why a run says that it starts a Kafka of its own. */
const UNWRITABLE: readonly {
  readonly what: string
  readonly why: string
  readonly skip?: string | false
  /** What starts the command. */
  readonly below?: readonly string[]
  make(home: string, t: TestContext): Promise<void> | void
}[] = [
  {
    ...{ what: 'is on a read-only disk', why: 'EROFS', skip: await whyNoDisk() },
    make: async (home, t) => t.after(await mountDisk(home, '1g', ['ro'])),
  },
  {
    ...{ what: 'is not for this user to write', why: 'EACCES' },
    below: process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search'] : [],
    make: home => mkdirSync(home, { mode: 0o500 }),
  },
  { what: 'is a file', why: 'ENOTDIR', make: home => writeFileSync(home, '') },
]

for (const { what, why, skip = false, below = [], make } of UNWRITABLE)
  test(`a run whose home ${what} starts a Kafka of its own, and says so in one line`, { skip }, async t => {
    const made = mkdtempSync(join(tmpdir(), 'rowmill-home-'))
    const home = join(made, 'home')
    await make(home, t)
    t.after(() => rmSync(made, { recursive: true }))
    const { folder, input } = placeForRuns(t)
    const env = { ...BY_DEFAULT, HOME: home, XDG_STATE_HOME: '', ROWMILL_CACHE: cacheDirectory() }
    const output = join(folder, 'out.csv')
    const run = [BIN, 'run', input, output, '--classifier', CLASSIFIER, '--workers', '1']
    const [file, ...args] = [...below, process.execPath, ...run] as [string, ...string[]]
    const { code, stderr } = await startProgram(file, args, { env }).finished
    assert.equal(code, 0, stderr)
    assert.equal(readFileSync(output, 'utf8'), await serialJob(input, CLASSIFIER))
    const lines = stderr.split('\n').filter(line => line.includes(home))
    assert.match(lines.join('\n'), new RegExp(`^rowmill: this run starts a Kafka of its own, because ${why}: .*$`))
  })
