/** Whatever a command waits for while it connects: a signal and --timeout end it at once, --broker-timeout soon. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startRowmill, testFolder } from '../helpers/cli.ts'
import { SILENT_PLACES, silentPlace } from '../helpers/silent-places.ts'
import { until } from '../helpers/until.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.ts')
const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  run: ['run', 'in.csv', 'out.csv', '--classifier', CLASSIFIER, '--workers', '1'],
  publish: ['publish', 'in.csv'],
  work: ['work', '--classifier', CLASSIFIER, '--workers', '1', '--until-done', 'j'],
  collect: ['collect', 'out.csv', '--job', 'j'],
  tail: ['tail', '--job', 'j'],
  verify: ['verify', 'in.csv', '--job', 'j'],
  'jobs list': ['jobs', 'list'],
  'topics check': ['topics', 'check'],
}
/** doctor has limits of its own, so it has neither option. */
const DOCTOR = { doctor: ['doctor'] }
/** How many commands start at once: more would only wait for each other. */
const SIDE_BY_SIDE = 4
/** A machine with much to do is slow. Before there were limits, the exit code was 3, and a token took 190 s. */
const SOON_MS = 60_000

interface End {
  readonly how: string
  readonly options: readonly string[]
  readonly signal: NodeJS.Signals | null
  readonly code: number
  readonly says: RegExp
}
const ENDS: readonly End[] = [
  { how: 'SIGTERM', options: [], signal: 'SIGTERM', code: 143, says: /interrupted by SIGTERM.*\[INTERRUPTED\]/ },
  { how: 'SIGINT', options: [], signal: 'SIGINT', code: 130, says: /interrupted by SIGINT.*\[INTERRUPTED\]/ },
  { how: '--timeout', options: ['--timeout', '3'], signal: null, code: 124, says: /--timeout 3 s.*\[TIMEOUT\]/ },
  {
    how: '--broker-timeout',
    options: ['--broker-timeout', '5'],
    signal: null,
    code: 3,
    says: /within 5 s|timed? ?out/i,
  },
]

/** Every command meets every place, and every end. Not each of them with each: that would take minutes. */
const CASES = [...Object.entries(COMMANDS), ...Object.entries(DOCTOR)].flatMap(([name, args], row) =>
  SILENT_PLACES.map((place, column) => {
    const ends = name in DOCTOR ? ENDS.filter(({ signal }) => signal !== null) : ENDS
    return { name, args, place, end: ends[(row + column) % ends.length]! }
  }),
)

test('signals and time-outs end a command that waits for a connection, a login or a token', {
  concurrency: SIDE_BY_SIDE,
}, async t => {
  const running = CASES.map(({ name, args, place, end }) =>
    t.test(`${name}, ${place}, ${end.how}`, async t => {
      const folder = join(testFolder(t), 'work')
      mkdirSync(folder)
      writeFileSync(join(folder, 'in.csv'), 'ID,A\n1,x\n')
      const { config, asked, helper } = await silentPlace(place, { folder, after: close => t.after(close) })
      const words = [...args, '--command-config', config, ...end.options]
      const { child, finished } = startRowmill(words, { cwd: folder, env: { ROWMILL_BROKERS: undefined } })
      t.after(() => child.kill('SIGKILL'))
      await Promise.race([asked, finished.then(({ stderr }) => assert.fail(`it ended by itself: ${stderr}`))])
      const since = performance.now()
      if (end.signal) child.kill(end.signal)
      const { code, stderr } = await finished
      const ms = performance.now() - since
      assert.equal(code, end.code, stderr)
      assert.match(stderr, end.says)
      assert.ok(ms < SOON_MS, `it ended after ${Math.round(ms / 1000)} s`)
      const pid = helper()
      if (pid !== null) await until(`process ${pid} has ended`, () => !isAlive(pid))
    }),
  )
  await Promise.all(running)
})

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
