/**
 * What the probe of a run costs: the serial job, and rowmill with and without the probe, interleaved on a warm broker. Prints
 * wall seconds and CPU seconds of each part, and what the probe adds to the CPU seconds of a run without it.
 *
 *     node bench/probe/cost.ts [--rows 1000,10000,30000] [--workers 1,2] [--rounds 3]
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { preparePython } from '../../scripts/prepare-machine.ts'
import { startLocalBroker } from '../../src/broker/local-broker.ts'
import { rowmill as rowmillRun, serialJob } from '../contenders.ts'
import { measure } from '../measure.ts'
import { describeUsage } from '../report.ts'

const ROOT = join(import.meta.dirname, '../..')
const CLASSIFIER = join(ROOT, 'examples/black_box.py')

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000,10000,30000' },
    workers: { type: 'string', default: '1,2' },
    rounds: { type: 'string', default: '3' },
  },
})
const numbers = (text: string) => text.split(',').filter(Boolean).map(Number)
const say = (text: string) => process.stderr.write(`bench: ${text}\n`)
const python = await preparePython(say)
const folder = await mkdtemp(join(tmpdir(), 'rowmill-probe-'))
const [input, output] = ['in.csv', 'out.csv'].map(file => join(folder, file)) as [string, string]
const broker = await startLocalBroker({ onProgress: say })
const rowmill = (name: string, classifier: string, options: readonly string[]) =>
  rowmillRun(name, { python, broker: broker.address, classifier, options })
const withProbe = (workers: number, probe: 'probe' | 'no probe') =>
  rowmill(`rowmill, ${workers} x worker, ${probe}`, CLASSIFIER, [
    ...['--workers', String(workers)],
    ...(probe === 'probe' ? [] : ['--probe', '0']),
  ])

try {
  for (const rows of numbers(values.rows)) {
    await measure('rows', [python, join(ROOT, 'examples/make_rows.py'), String(rows), input])
    const all = [
      serialJob(python),
      ...numbers(values.workers).flatMap(workers => [withProbe(workers, 'no probe'), withProbe(workers, 'probe')]),
    ]
    const spent = new Map<string, { cpu: number; python: number; wall: number }[]>()
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const { name, command } of round % 2 === 0 ? all : all.toReversed()) {
        const { seconds, usage } = await measure(name, command(input, output))
        const of = (part: string) => usage.find(each => each.name === part)?.cpuSeconds ?? 0
        const cpu = usage.reduce((sum, { name: part, cpuSeconds }) => sum + (part === 'broker' ? 0 : cpuSeconds), 0)
        spent.set(name, [...(spent.get(name) ?? []), { cpu, python: of('Python'), wall: seconds }])
        console.log(`${rows} rows  ${name.padEnd(32)}${seconds.toFixed(2).padStart(8)} s  ${describeUsage(usage)}`)
      }
    }
    for (const [name, each] of spent) {
      const median = (of: (one: (typeof each)[number]) => number) =>
        each.map(of).sort((a, b) => a - b)[each.length >> 1]!
      const [wall, cpu, pythons] = [median(one => one.wall), median(one => one.cpu), median(one => one.python)]
      console.log(
        `${rows} rows  ${name.padEnd(32)} median: wall ${wall.toFixed(2)}, CPU ${cpu.toFixed(2)}, Pythons ${pythons.toFixed(2)}`,
      )
    }
  }
} finally {
  await broker.close()
  await rm(folder, { recursive: true, force: true })
}
