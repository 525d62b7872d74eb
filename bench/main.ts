/**
 * The old job, multiprocessing.Pool(2) and rowmill with 1 and 2 workers over the same rows, interleaved, on a warm
 * broker. Prints every time; `--write` puts the medians into bench/results.md.
 * npm run bench -- [--rows 10000,30000] [--rounds 3] [--only NAME,NAME] [--write]
 */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { firstDifference } from '../scripts/compare-files.ts'
import { preparePython } from '../scripts/prepare-machine.ts'
import { startLocalBroker } from '../src/broker/local-broker.ts'
import { ProcessTree, type Usage } from './process-tree.ts'

const ROOT = join(import.meta.dirname, '..')
const CLASSIFIER = join(ROOT, 'examples/black_box.py')

interface Contender {
  readonly name: string
  command(input: string, output: string): readonly string[]
}

interface Measured {
  readonly name: string
  readonly seconds: number
  readonly usage: readonly Usage[]
}

function contenders(python: string, broker: string): Contender[] {
  const rowmill = (name: string, more: readonly string[]): Contender => ({
    name,
    command: (input, output) => [
      ...[process.execPath, join(ROOT, 'bin/rowmill.js'), 'run', input, output, '--classifier', CLASSIFIER],
      ...['--python', python, '--brokers', broker, '--force', '--quiet', ...more],
    ],
  })
  return [
    {
      name: 'serial job',
      command: (input, output) => [python, join(ROOT, 'examples/serial_job.py'), input, output],
    },
    {
      name: 'Pool(2)',
      command: (input, output) => [
        ...[python, join(ROOT, 'bench/pool_job.py'), input, output],
        ...['--classifier', CLASSIFIER, '--processes', '2', '--chunk-rows', '100'],
      ],
    },
    rowmill('rowmill, 1 worker', ['--workers', '1']),
    rowmill('rowmill, 2 workers', ['--workers', '2']),
  ]
}

/** The part of rowmill, or the rival, that a process is. */
function partOf(commandLine: string): string | null {
  if (commandLine.includes('kafka.Kafka')) return 'broker'
  if (commandLine.includes('worker-process')) return 'worker'
  if (commandLine.includes('host.py')) return 'Python'
  if (commandLine.includes('bin/rowmill.js')) return 'command'
  return /\.py /.test(commandLine) ? 'Python' : null
}

async function measure(name: string, command: readonly string[]): Promise<Measured> {
  const tree = new ProcessTree(process.pid, partOf)
  const started = performance.now()
  const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'inherit', 'inherit'] })
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('exit', resolve))
  const seconds = (performance.now() - started) / 1000
  const usage = tree.stop()
  if (code !== 0) throw new Error(`${name} ended with exit code ${code}: ${command.join(' ')}`)
  return { name, seconds, usage }
}

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '10000,30000' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string' },
  },
})
const say = (text: string) => process.stderr.write(`bench: ${text}\n`)
const python = await preparePython(say)
const folder = await mkdtemp(join(tmpdir(), 'rowmill-bench-'))
const broker = await startLocalBroker({ onProgress: say })
try {
  const only = values.only?.split(',')
  const all = contenders(python, broker.address).filter(({ name }) => !only || only.includes(name))
  const [input, output, expected] = ['in.csv', 'out.csv', 'expected.csv'].map(file => join(folder, file))
  await measure('rows', [python, join(ROOT, 'examples/make_rows.py'), '5000', input!])
  for (const { name, command } of all) await measure(name, command(input!, output!)) // warms files and the broker
  for (const rows of values.rows.split(',').map(Number)) {
    await measure('rows', [python, join(ROOT, 'examples/make_rows.py'), String(rows), input!])
    await measure('expected', [python, join(ROOT, 'examples/serial_job.py'), input!, expected!])
    const results: Measured[] = []
    for (let round = 0; round < Number(values.rounds); round++) {
      for (let turn = 0; turn < all.length; turn++) {
        const { name, command } = all[(round + turn) % all.length]!
        await rm(output!, { force: true })
        const result = await measure(name, command(input!, output!))
        const difference = await firstDifference(expected!, output!)
        if (difference) throw new Error(`${name}: the output differs, ${difference}`)
        results.push(result)
        console.log(
          `${rows} rows  ${name.padEnd(20)}${result.seconds.toFixed(2).padStart(8)} s  ${describe(result.usage)}`,
        )
      }
    }
  }
} finally {
  await broker.close()
  await rm(folder, { recursive: true, force: true })
}

function describe(usage: readonly Usage[]): string {
  return usage
    .map(({ name, processes, cpuSeconds, peakBytes }) => {
      const times = processes > 1 ? `${processes} x ` : ''
      return `${times}${name} ${cpuSeconds.toFixed(2)} s ${Math.round(peakBytes / 1e6)} MB`
    })
    .join(', ')
}
