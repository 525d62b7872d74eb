/**
 * The original one-process job and rowmill over the same rows, timed, and compared byte by byte. Exits with 6 if they differ.
 * npm run demo -- [--rows N | --input FILE] [--workers N] [--classifier FILE[:NAME]] [--keep DIR]
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { prepareKafkaJars } from '../src/broker/local-broker.ts'
import { EXIT_CODES } from '../src/errors.ts'
import type { RunReport } from '../src/run.ts'
import { makeFolder } from '../src/support/make-folder.ts'
import { firstDifference } from './compare-files.ts'
import { preparePython } from './prepare-machine.ts'

const ROOT = join(import.meta.dirname, '..')

const CURE =
  'Does the classifier look at other rows of its batch? docs/classifiers.md, "What depends on other rows", has the cures.'

interface DemoOptions {
  /** How many rows to make if there is no `input`. */
  readonly rows: number
  /** The CSV file of the user, or null. */
  readonly input: string | null
  readonly workers: number
  readonly classifier: string
  readonly keep: string | null
}

async function demo({ rows, input, workers, classifier, keep }: DemoOptions): Promise<number> {
  const [python] = await Promise.all([preparePython(say), prepareKafkaJars(say)])
  const folder = keep ?? (await mkdtemp(join(tmpdir(), 'rowmill-demo-')))
  if (keep) await makeFolder(keep)
  const file = (name: string) => join(folder, name)
  try {
    const source = input ?? file('rows.csv')
    if (input === null) {
      say(`making ${rows} rows`)
      await timed(python, [join(ROOT, 'examples/make_rows.py'), String(rows), source])
    }

    say('running the original job: one process, one core')
    const serialJob = [join(ROOT, 'examples/serial_job.py'), source, file('serial.csv'), '--classifier', classifier]
    const serial = await timed(python, serialJob)

    say(`running rowmill: ${workers} workers, a local Kafka broker`)
    const files = [source, file('rowmill.csv'), '--report', file('report.json')]
    const options = ['--classifier', classifier, '--python', python, '--workers', String(workers), '--force']
    // No probe: the demo shows where the whole files differ.
    const run = ['run', ...files, ...options, '--probe', '0', '--no-keep']
    const rowmill = await timed(process.execPath, [join(ROOT, 'bin/rowmill.js'), ...run])

    const report: RunReport = JSON.parse(await readFile(file('report.json'), 'utf8'))
    tell({ rows: report.rows, serial, rowmill, report })
    const difference = await firstDifference(file('serial.csv'), file('rowmill.csv'))
    console.log(difference ? `The files DIFFER: ${difference}. ${CURE}` : 'The files are the same, byte by byte.')
    return difference ? EXIT_CODES.FILES_DIFFER : 0
  } finally {
    if (!keep) await rm(folder, { recursive: true, force: true })
  }
}

function tell({
  rows,
  serial,
  rowmill,
  report,
}: {
  rows: number
  serial: number
  rowmill: number
  report: RunReport
}): void {
  const line = (name: string, seconds: number, note = '') =>
    console.log(
      `${name.padEnd(10)}${seconds.toFixed(1).padStart(8)} s${Math.round(rows / seconds)
        .toString()
        .padStart(9)} rows/s${note}`,
    )
  console.log()
  line('original', serial)
  line('rowmill', rowmill, `   of which ${report.startSeconds.toFixed(1)} s to start Kafka, Python and pandas`)
  console.log(
    `speed-up  ${(serial / rowmill).toFixed(2).padStart(8)}   (${(serial / (rowmill - report.startSeconds)).toFixed(2)} without the start)`,
  )
  for (const [worker, count] of Object.entries(report.rowsByWorker).sort())
    console.log(`  worker ${worker}: ${count} rows`)
}

function say(message: string): void {
  process.stderr.write(`demo: ${message}\n`)
}

/** Runs a command and returns its seconds; throws StepFailed with its exit code if it fails. */
async function timed(file: string, args: readonly string[]): Promise<number> {
  const started = performance.now()
  const child = spawn(file, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('exit', resolve))
  if (code !== 0) throw new StepFailed(`${args[0]} ended with exit code ${code}`, code ?? 1)
  return (performance.now() - started) / 1000
}

class StepFailed extends Error {
  readonly exitCode: number

  constructor(message: string, exitCode: number) {
    super(message)
    this.exitCode = exitCode
  }
}

function parseOptions(): DemoOptions {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string' },
      input: { type: 'string' },
      workers: { type: 'string', default: String(availableParallelism()) },
      classifier: { type: 'string', default: join(ROOT, 'examples/black_box.py') },
      keep: { type: 'string' },
    },
  })
  const refuse = (why: string) => new StepFailed(why, EXIT_CODES.USAGE)
  const whole = (name: string, value: string) => {
    if (/^[1-9][0-9]{0,8}$/.test(value)) return Number(value)
    throw refuse(`--${name} ${value}: must be a whole number above 0`)
  }
  const { rows = '10000', input = null, workers, classifier, keep = null } = values
  if (values.rows !== undefined && input !== null)
    throw refuse('--rows makes rows and --input brings its own: give one of them')
  if (input !== null && !existsSync(input)) throw refuse(`--input ${input}: there is no such file`)
  return { rows: whole('rows', rows), input, workers: whole('workers', workers), classifier, keep }
}

try {
  process.exitCode = await demo(parseOptions())
} catch (error) {
  say((error as Error).message)
  process.exitCode = error instanceof StepFailed ? error.exitCode : 1
}
