/** Processes that compete for one output, and can be killed while they hold it. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

const CONTENDER = fileURLToPath(new URL('../connectors/fixtures/contender.ts', import.meta.url))
/** A container shares only the files with its host; with `--kill-child` the process ends with `unshare`. */
const CONTAINER = ['--pid', '--fork', '--kill-child', '--mount-proc', '--net', '--uts', '--ipc']
/** Why there is no second namespace here, or false. */
export const cannotUnshare = spawnSync('unshare', [...CONTAINER, 'true']).status !== 0 && 'unshare is not allowed here'

const PLACES = [0, 1, 2, 3]

type Where = 'here' | 'in a container'

/** In each round the holder is killed, and four processes try to take its lock at the same moment. */
export async function killedHolders(
  t: TestContext,
  { path, rounds, where }: { path: string; rounds: number; where: (place: number) => Where },
): Promise<void> {
  mkdirSync(`${path}.rowmill`, { mode: 0o700 })
  const begin = (place: number) => start(t, path, where(place), 'file')
  const contenders = await Promise.all(PLACES.map(begin))
  const next = PLACES.map(begin) // they start while the others compete
  const holders: number[] = []
  for (let round = 0; round < rounds; round++) {
    const answers = await Promise.all(contenders.map(contender => ask(contender, 'take')))
    holders.push(answers.filter(answer => answer === 'held').length)
    for (const [place, answer] of answers.entries()) {
      if (answer !== 'held') continue
      await kill(contenders[place]!)
      contenders[place] = await next[place]!
      next[place] = begin(place)
    }
  }
  await Promise.all(next)
  const wrong = holders.filter(count => count !== 1)
  assert.deepEqual(wrong, [], `rounds without exactly one holder: ${wrong.length} of ${rounds}`)
}

export async function start(t: TestContext, path: string, where: Where, kind?: 'file'): Promise<ChildProcess> {
  const command = where === 'here' ? [] : ['unshare', ...CONTAINER]
  const [file, ...args] = [...command, process.execPath, CONTENDER, path, ...(kind ? [kind] : [])]
  const child = spawn(file!, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  t.after(() => kill(child))
  await answerOf(child)
  return child
}

export async function ask(contender: ChildProcess, word: string): Promise<unknown> {
  const answer = answerOf(contender)
  contender.send(word)
  return await answer
}

/** Rejects if it ends without one. */
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

export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'close')
  child.kill('SIGKILL')
  await gone
}
