/** Who may write an output, tried with processes that come, go and are killed at the same moment. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { testFolder } from '../helpers/cli.ts'

const CONTENDER = fileURLToPath(new URL('fixtures/contender.ts', import.meta.url))
/** What a container has of its own beside the files; with `--kill-child` the process ends with `unshare`. */
const CONTAINER = ['--pid', '--fork', '--kill-child', '--mount-proc', '--net', '--uts', '--ipc']
const cannotUnshare = spawnSync('unshare', [...CONTAINER, 'true']).status !== 0 && 'unshare is not allowed here'

type Where = 'here' | 'in a container'

test('of four processes that find the lock of a killed one, exactly one gets it, 150 times', async t => {
  const path = join(testFolder(t), 'out.csv')
  await killedHolders(t, { path, rounds: 150, where: () => 'here' })
})

test('the same where two of the four are in PID, network and host namespaces of their own', {
  skip: cannotUnshare,
}, async t => {
  const path = join(testFolder(t), 'out.csv')
  await killedHolders(t, { path, rounds: 30, where: place => (place % 2 === 0 ? 'here' : 'in a container') })
})

test('four processes that take and give back an output 100 times each never hold it at the same time', async t => {
  const path = join(testFolder(t), 'out.csv')
  const contenders = await Promise.all([0, 1, 2, 3].map(() => start(t, path, 'here')))
  const overlaps = await Promise.all(contenders.map(contender => ask(contender, 'race 100')))
  assert.deepEqual(overlaps, [0, 0, 0, 0])
  assert.equal(existsSync(`${path}.rowmill`), false)
})

test('a lock held in one namespace is refused in another, and free as soon as its holder is killed', {
  skip: cannotUnshare,
}, async t => {
  const folder = testFolder(t)
  const path = join(folder, 'out.csv')
  const [inside, outside] = await Promise.all([start(t, path, 'in a container'), start(t, path, 'here')])
  assert.equal(await ask(inside, 'take'), 'held')
  assert.equal(await ask(outside, 'take'), 'OUTPUT_LOCKED')
  await kill(inside)
  assert.equal(await ask(outside, 'take'), 'held')
  const other = await start(t, path, 'in a container')
  assert.equal(await ask(other, 'take'), 'OUTPUT_LOCKED')
  assert.equal(await ask(outside, 'release'), 'released')
  assert.deepEqual(readdirSync(folder), [])
  assert.equal(await ask(other, 'take'), 'held')
})

/** In each round the holder is killed, and four processes take what it held at the same moment. */
async function killedHolders(
  t: TestContext,
  { path, rounds, where }: { path: string; rounds: number; where: (place: number) => Where },
): Promise<void> {
  mkdirSync(`${path}.rowmill`, { mode: 0o700 })
  const begin = (place: number) => start(t, path, where(place), 'file')
  const contenders = await Promise.all([0, 1, 2, 3].map(begin))
  const holders: number[] = []
  for (let round = 0; round < rounds; round++) {
    const answers = await Promise.all(contenders.map(contender => ask(contender, 'take')))
    holders.push(answers.filter(answer => answer === 'held').length)
    for (const [place, answer] of answers.entries()) {
      if (answer !== 'held') continue
      await kill(contenders[place]!)
      contenders[place] = await begin(place)
    }
  }
  const wrong = holders.filter(count => count !== 1)
  assert.deepEqual(wrong, [], `rounds with other than one holder: ${wrong.length} of ${rounds}`)
}

async function start(t: TestContext, path: string, where: Where, kind?: 'file'): Promise<ChildProcess> {
  const command = where === 'here' ? [] : ['unshare', ...CONTAINER]
  const [file, ...args] = [...command, process.execPath, CONTENDER, path, ...(kind ? [kind] : [])]
  const child = spawn(file!, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  t.after(() => kill(child))
  await answerOf(child)
  return child
}

async function ask(contender: ChildProcess, word: string): Promise<unknown> {
  const answer = answerOf(contender)
  contender.send(word)
  return await answer
}

/** Rejects where it ends without one. */
async function answerOf(child: ChildProcess): Promise<unknown> {
  const gone = new AbortController()
  const onClose = () => gone.abort(new Error('a contender ended without an answer'))
  child.once('close', onClose)
  try {
    return (await once(child, 'message', { signal: gone.signal }))[0]
  } finally {
    child.off('close', onClose)
  }
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'close')
  child.kill('SIGKILL')
  await gone
}
