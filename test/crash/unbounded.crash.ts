/** An endless stream while everything that carries it is killed and restarted, including the broker. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startRowmill, testFolder } from '../helpers/cli.ts'
import { seeded } from '../helpers/seeded.ts'
import { until } from '../helpers/until.ts'
import { ownBroker } from './own-broker.ts'

const PRODUCER = fileURLToPath(new URL('../fixtures/producer.ts', import.meta.url))
const SDK = fileURLToPath(new URL('../../src/index.ts', import.meta.url))
const CLASSIFIER = join(import.meta.dirname, '../../bench/pass.ts')
const ROWS = 3000
/** The exit code of a command that starts while there is no broker. */
const NO_BROKER = 3

/** What a fault kills: one, or several at the same moment. */
type Victim = Mortal | readonly Mortal[]

interface Mortal {
  kill(): unknown
}

interface Program extends Mortal {
  readonly finished: Promise<{ code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }>
}

/** A program that is restarted after each kill, or if it found no broker, until it ends by itself. */
class Kept {
  readonly ended: Promise<string>
  readonly #start: () => Program
  #program: Program
  #over = false
  #log = ''

  constructor(t: TestContext, passed: () => boolean, start: () => Program) {
    this.#start = start
    this.#program = start()
    this.ended = this.#keep()
    this.ended.catch(() => {}) // the test that awaits it gets the error
    t.after(async () => {
      this.#over = true
      this.kill()
      await this.ended.catch(() => {})
      if (!passed()) t.diagnostic(this.#log) // the output of each start, which shows what it waited for
    })
  }

  kill(): void {
    this.#program.kill()
  }

  /** Everything printed on stdout, whatever was killed in between. */
  async #keep(): Promise<string> {
    let said = ''
    for (;;) {
      const { code, signal, stdout, stderr } = await this.#program.finished
      said += stdout
      this.#log += `${signal ?? code}: ${stderr}\n`
      const again = signal === 'SIGKILL' || code === NO_BROKER
      if (!again) assert.equal(code, 0, stderr)
      if (!again || this.#over) return said
      this.#program = this.#start()
    }
  }
}

test('an unbounded job survives restarts of everything: producer, workers, reader and broker', async t => {
  let allWell = false
  const passed = () => allWell
  const random = seeded(t)
  const broker = await ownBroker(t)
  const out = join(testFolder(t), 'out.csv')
  const env = { ROWMILL_BROKERS: broker.address, ROWMILL_PIPELINE: 'stream' }
  const command = (...args: string[]): Program => {
    const { child, finished } = startRowmill(args, { env })
    return { kill: () => child.kill('SIGKILL'), finished }
  }
  const workers = [1, 2].map(
    () => new Kept(t, passed, () => command('work', '--classifier', CLASSIFIER, '--workers', '1')),
  )
  let times = 0
  const producer = new Kept(t, passed, () => produce(`producer-${++times}`, broker.address))
  const reader = new Kept(t, passed, () => command('collect', out, '--job', 'j', '--follow'))
  const all = [producer, reader, ...workers]
  // The producer is the first, so that there are several. Then each dies once or twice, in any order.
  const deck = [...all, ...workers, reader, [...all, broker], [...all, broker], broker, broker]
  for (let victim: Victim | undefined = producer; victim; victim = deck.splice(random(deck.length), 1)[0]) {
    const before = rowsIn(out)
    await until('rows come', () => rowsIn(out) > before || rowsIn(out) === ROWS)
    if (rowsIn(out) === ROWS) break
    await sleep(random(700))
    for (const each of [victim].flat()) await each.kill()
    if ([victim].flat().includes(broker)) await broker.start()
  }
  const said = (await producer.ended)
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
  await reader.ended
  const rows = readFileSync(out, 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => line.split(','))
  assert.deepEqual(
    rows.map(([seq]) => Number(seq)),
    Array.from({ length: ROWS }, (_, seq) => seq),
    'every row once, in order',
  )
  const safe = said.filter(line => line.safe !== undefined)
  for (const { safe: seq, values } of safe)
    assert.deepEqual(rows[seq], values, `row ${seq} is what was reported as safe`)
  assert.ok(times > 1, `${times} producers`)
  assert.equal(existsSync(`${out}.rowmill`), false)
  allWell = true
})

function produce(name: string, brokers: string): Program {
  const asked = { sdk: SDK, name, brokers: [brokers], pipeline: 'stream', total: ROWS, pauseMs: 100, last: 'end' }
  const child = spawn(process.execPath, [PRODUCER, JSON.stringify(asked)], { stdio: ['ignore', 'pipe', 'pipe'] })
  const exit = new Promise<[number | null, NodeJS.Signals | null]>(resolve =>
    child.once('exit', (...how) => resolve(how)),
  )
  const finished = Promise.all([text(child.stdout), text(child.stderr), exit]).then(
    ([stdout, stderr, [code, signal]]) => {
      const noBroker = stdout.includes('"lost":"BROKER_UNREACHABLE"') // it says so, and exits with 0
      return { stdout, stderr, code: noBroker ? NO_BROKER : code, signal }
    },
  )
  return { kill: () => child.kill('SIGKILL'), finished }
}

function rowsIn(out: string): number {
  return existsSync(out) ? readFileSync(out, 'latin1').split('\n').length - 1 : 0
}
