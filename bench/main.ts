/**
 * Compares the original job, multiprocessing.Pool(2) and rowmill over the same rows, interleaved, on a warm broker; and
 * rows that only pass through. Every output is compared. `recovery` measures how long rows pause after their worker was
 * killed. `fairness` measures small jobs and live events during a large job. Prints every time; `--write` puts the
 * medians into bench/results.md.
 * npm run bench -- [--rows 1000,10000,30000] [--pass 1000000,3000000] [--rounds 3] [--kills 5] [--only NAME,NAME] [--write]
 */
import { mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { firstDifference } from '../scripts/compare-files.ts'
import { preparePython } from '../scripts/prepare-machine.ts'
import { startLocalBroker } from '../src/broker/local-broker.ts'
import { type Contender, contenders, DEFAULT, FAIRNESS, PASS, RECOVERY, SERIAL } from './contenders.ts'
import { type Fairness, measureFairness } from './fairness.ts'
import { measure } from './measure.ts'
import { type Killed, measureRecovery } from './recovery.ts'
import { describeUsage, type Measured, percentile, writeFairness, writeRecovery, writeResults } from './report.ts'

const ROOT = join(import.meta.dirname, '..')
/** Up to this size startup dominates a run. The default number of workers is what a user gets. */
const SMALL_ROWS = 1000
/** More than the workers classify until the rows of a killed worker move again. */
const RECOVERY_ROWS = 20_000
/** More than the workers classify during the small jobs. */
const LARGE_ROWS = 20_000

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000,10000,30000' },
    pass: { type: 'string', default: '1000000,3000000' },
    rounds: { type: 'string', default: '3' },
    kills: { type: 'string', default: '5' },
    only: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
})
const numbers = (text: string) => text.split(',').filter(Boolean).map(Number)
const say = (text: string) => process.stderr.write(`bench: ${text}\n`)
const python = await preparePython(say)
const folder = await mkdtemp(join(tmpdir(), 'rowmill-bench-'))
const [input, output, expected] = ['in.csv', 'out.csv', 'expected.csv'].map(file => join(folder, file)) as [
  string,
  string,
  string,
]
const broker = await startLocalBroker({ onProgress: say })
try {
  const only = values.only?.split(',')
  const all = contenders(python, broker.address).filter(({ name }) => !only || only.includes(name))
  await makeRows(5000)
  for (const { name, command } of all) await measure(name, command(input, output)) // warms files and the broker
  const measured: Measured[] = []
  for (const rows of all.length > 0 ? numbers(values.rows) : []) {
    await makeRows(rows)
    await measure('expected', [python, join(ROOT, 'examples/serial_job.py'), input, expected])
    const small = [SERIAL, DEFAULT]
    const here = all.filter(({ name }) =>
      rows <= SMALL_ROWS ? small.includes(name) : name !== DEFAULT && name !== PASS,
    )
    measured.push(...(await compare(here, rows, expected)))
  }
  const pass = all.filter(({ name }) => name === PASS)
  for (const rows of pass.length > 0 ? numbers(values.pass) : []) {
    await makeRows(rows)
    measured.push(...(await compare(pass, rows, input)))
  }
  const recovery = !only || only.includes(RECOVERY) ? await killWorkers(Number(values.kills)) : null
  const file = join(ROOT, 'bench/results.md')
  if (values.write && measured.length > 0) await writeResults(file, measured, { python })
  if (values.write && recovery) await writeRecovery(file, recovery, { python })
  if (!only || only.includes(FAIRNESS)) {
    const fairness = await beFair(Number(values.rounds))
    if (values.write) await writeFairness(file, fairness, { python, largeRows: LARGE_ROWS })
  }
} finally {
  await broker.close()
  await rm(folder, { recursive: true, force: true })
}

async function makeRows(rows: number): Promise<void> {
  await measure('rows', [python, join(ROOT, 'examples/make_rows.py'), String(rows), input])
}

async function killWorkers(times: number): Promise<Record<Killed, number[]>> {
  await makeRows(RECOVERY_ROWS)
  const all: Record<Killed, number[]> = { run: [], work: [] }
  for (let time = 1; time <= times; time++)
    for (const killed of ['run', 'work'] as const) {
      const options = { python, broker: broker.address, input, pipeline: `${RECOVERY}-${killed}-${time}` }
      const seconds = await measureRecovery(killed, options)
      console.log(`kill -9 of a worker of ${killed}, until its rows move again ${seconds.toFixed(2).padStart(8)} s`)
      all[killed].push(seconds)
    }
  return all
}

async function beFair(rounds: number): Promise<{ alone: Fairness; beside: Fairness }> {
  const small = join(folder, 'small.csv')
  await makeRows(100)
  await rename(input, small)
  await measure('expected', [python, join(ROOT, 'examples/serial_job.py'), small, expected])
  await makeRows(LARGE_ROWS)
  const files = { large: input, small, expected, output }
  const fairness = await measureFairness({ ...files, python, broker: broker.address, pipeline: FAIRNESS, rounds })
  for (const [where, { jobs, events }] of Object.entries(fairness)) {
    const times = jobs.map(seconds => seconds.toFixed(2)).join(', ')
    const [p50, p99, max] = [50, 99, 100].map(part => Math.round(percentile(events, part)))
    console.log(`${where}: jobs of 100 rows ${times} s; ${events.length} events p50 ${p50}, p99 ${p99}, max ${max} ms`)
  }
  return fairness
}

/** Every contender in every round, in another order each time. */
async function compare(all: readonly Contender[], rows: number, wanted: string): Promise<Measured[]> {
  const measured: Measured[] = []
  for (let round = 0; round < Number(values.rounds); round++) {
    for (let turn = 0; turn < all.length; turn++) {
      const { name, command } = all[(round + turn) % all.length]!
      await rm(output, { force: true })
      const { seconds, usage } = await measure(name, command(input, output))
      const difference = await firstDifference(wanted, output)
      if (difference) throw new Error(`${name}: the output differs, ${difference}`)
      measured.push({ name, rows, seconds, usage })
      console.log(`${rows} rows  ${name.padEnd(30)}${seconds.toFixed(2).padStart(8)} s  ${describeUsage(usage)}`)
    }
  }
  return measured
}
