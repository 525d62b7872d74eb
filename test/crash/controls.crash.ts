/** Negative controls: each removes one guard against loss or copies, and the check must notice. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Finished } from '../helpers/cli.ts'
import { type Edit, mutant } from '../helpers/mutant.ts'
import { descendants } from '../helpers/processes.ts'
import { assertCode, type Command, Fire, ONE_MOVES, TWO_MOVE } from './fire.ts'

/** A faulty job, from its first command to its last; resolves to how its collector ended. */
type Scenario = (fire: Fire) => Promise<Finished>

interface Control {
  /** Completes "without ...". */
  readonly without: string
  readonly mutation: readonly Edit[]
  /** What the check must report, which begins with the name of an invariant. */
  readonly red: RegExp
  /** How the collector must have ended, and with which last line. */
  readonly collected: { readonly code: number; readonly stderr: RegExp }
}

function scenario(
  name: string,
  { rows, again, happens, controls }: { rows: number; again: number; happens: Scenario; controls: readonly Control[] },
): void {
  for (const { without, mutation, red, collected } of controls) {
    test(`${name}, without ${without}: the check goes red`, async t => {
      const fire = await openFire(t, rows, mutation)
      const { code, stderr } = await happens(fire)
      await assert.rejects(fire.check({ again }), { name: 'AssertionError', message: red })
      assert.equal(code, collected.code, stderr)
      assert.match(stderr, collected.stderr)
    })
  }
  test(`${name}, with nothing taken out: the check stays green`, async t => {
    const fire = await openFire(t, rows)
    assertCode(await happens(fire), 0)
    await fire.check({ again })
  })
}

async function openFire(t: TestContext, rows: number, mutation?: readonly Edit[]): Promise<Fire> {
  return await Fire.open(t, mutation ? { rows, bin: mutant(t, mutation) } : { rows })
}

/** The worker is killed after this many acknowledged results, before it commits the last one. */
const workerKilledAt = (time: number) => async (fire: Fire) => {
  assertCode(await fire.publish().finished, 0)
  const working = fire.work(1, { at: 'result-acked', time })
  const finished = await fire.collect().finished
  await fire.drain(working)
  return finished
}

scenario('a worker killed between acknowledged and committed', {
  rows: 1200,
  again: ONE_MOVES,
  happens: workerKilledAt(2),
  controls: [
    {
      without: 'the positions of results, so that a second copy is taken for the next rows',
      mutation: [
        {
          file: 'src/core/reassembler.ts',
          find: '    if (result.count > 0) this.#learn(result)\n',
          put: '    result = { ...result, first: head.offered }\n',
        },
      ],
      red: /^(output|prefix)/, // the prefix if a checkpoint came between
      collected: { code: 6, stderr: /\[ROW_MALFORMED\]/ },
    },
    {
      without: 'the drop of second copies, so that they are written too',
      mutation: [
        {
          file: 'src/collect/collection.ts',
          find: 'if (firstCopies === 0 && result.count > 0) return',
          put: 'if (firstCopies === 0 && result.count > 0) return this.#options.sink.write(result.rows)',
        },
      ],
      red: /^(output|prefix)/, // the prefix if a checkpoint came between
      collected: { code: 0, stderr: /rows of job/ },
    },
  ],
})

scenario('a worker killed after its first commit', {
  rows: 1200,
  again: ONE_MOVES,
  async happens(fire) {
    assertCode(await fire.publish().finished, 0)
    const working = fire.work(1, { at: 'committed' })
    const finished = await fire.collect().finished
    await fire.drain(working)
    return finished
  },
  controls: [
    {
      without: 'the wait of the commit for the acknowledgement of the result',
      mutation: [
        {
          file: 'src/work/worker.ts',
          find: '}: Slot): Promise<void> {\n',
          put:
            '}: Slot): Promise<void> {\n' +
            '    held.batcher.settle(item)\n    await this.#first.commit().catch(() => {})\n',
        },
        {
          file: 'src/work/worker.ts',
          find: "    crashPoint('result-acked')\n    held.batcher.settle(item)\n",
          put: "    crashPoint('result-acked')\n",
        },
      ],
      red: /^output/,
      collected: { code: 6, stderr: /expected the result of row \d+ and found .*\[ROW_GAP\]/ },
    },
  ],
})

scenario('a worker killed after most rows', {
  rows: 3000,
  again: ONE_MOVES,
  happens: workerKilledAt(110),
  controls: [
    {
      without: 'the commits while it works',
      mutation: [
        {
          file: 'src/work/membership.ts',
          find: '    await this.#member.commit(offsets)\n',
          put: '',
        },
      ],
      red: /^again: \d+ rows were classified twice/,
      collected: { code: 0, stderr: /rows of job/ },
    },
  ],
})

/**
 * Of two workers and one partition in each topic, the second has the partition for large jobs, whatever the first does.
 */
scenario('a worker that leaves while the other one has batches in flight', {
  rows: 5000,
  again: ONE_MOVES + 2 * TWO_MOVE,
  async happens(fire) {
    assertCode(await fire.publish({ more: ['--partitions', '1'] }).finished, 0)
    const working = fire.work(2)
    const collected = fire.collect().finished
    let over = false
    void collected.then(() => {
      over = true
    })
    while (!over && fire.classified().size < 500) await sleep(20) // a file sends no event when it changes
    process.kill(workerOf(working, 1), 'SIGTERM')
    const finished = await collected
    await fire.drain(working)
    return finished
  },
  controls: [
    {
      without: 'the end of the worker state with its assignment',
      mutation: [
        {
          file: 'src/core/batcher.ts',
          find: '  readonly #jobs = new Map<string, JobSeen>()\n',
          put: '  static #known = new Map<string, JobSeen>()\n  readonly #jobs = Batcher.#known\n',
        },
      ],
      red: /^output/,
      collected: { code: 6, stderr: /expected the result of row \d+ and found .*\[ROW_GAP\]/ },
    },
  ],
})

/** The process of the nth worker of a command. */
function workerOf({ child }: Command, n: number): number {
  const isIt = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`-${child.pid}-${n}"`)
  const worker = descendants(child.pid!).find(({ pid }) => isIt(pid))
  assert.ok(worker, `worker ${n}`)
  return worker.pid
}
