/**
 * How much longer `run` takes on a Kafka whose consumer groups have Kafka's default settings than on one with those of the local
 * broker, in turns.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startLocalBroker } from '../src/broker/local-broker.ts'
import { answerHelp } from './usage.ts'

const ROOT = join(import.meta.dirname, '..')
const DEFAULTS = { 'group.initial.rebalance.delay.ms': 3000 }
answerHelp('node bench/default-group.ts [--rows 3000] [--rounds 3]')
const { values } = parseArgs({
  options: { rows: { type: 'string', default: '3000' }, rounds: { type: 'string', default: '3' } },
})

const folder = mkdtempSync(join(tmpdir(), 'rowmill-bench-'))
const python = join(ROOT, '.venv/bin/python')
const input = join(folder, 'in.csv')
spawnSync(python, [join(ROOT, 'examples/make_rows.py'), values.rows, input], { stdio: 'inherit' })
const brokers = {
  local: await startLocalBroker(),
  defaults: await startLocalBroker({ properties: DEFAULTS }),
}
try {
  for (let round = 0; round < Number(values.rounds); round++) {
    const names = round % 2 === 0 ? (['local', 'defaults'] as const) : (['defaults', 'local'] as const)
    for (const name of names) {
      const began = performance.now()
      const args = ['run', input, join(folder, `out-${name}-${round}.csv`), '--brokers', brokers[name].address]
      const more = [
        '--classifier',
        join(ROOT, 'examples/black_box.py'),
        '--workers',
        '2',
        '--python',
        python,
        '--quiet',
      ]
      const { status } = spawnSync(process.execPath, [join(ROOT, 'bin/rowmill.js'), ...args, ...more], {
        stdio: 'inherit',
      })
      if (status !== 0) throw new Error(`run ended with ${status}`)
      console.log(`${name.padEnd(10)}${((performance.now() - began) / 1000).toFixed(2).padStart(7)} s`)
    }
  }
} finally {
  await Promise.all(Object.values(brokers).map(broker => broker.close()))
  rmSync(folder, { recursive: true })
}
