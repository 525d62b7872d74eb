import { availableParallelism } from 'node:os'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')
const CLASSIFIER = join(ROOT, 'examples/black_box.py')
const PASSES_ROWS = join(ROOT, 'bench/pass.ts')

/** One way to run the job, as a command line. */
export interface Contender {
  readonly name: string
  command(input: string, output: string): readonly string[]
}

/** The original job, the same in a pool of two processes, and rowmill on a warm broker. */
export function contenders(python: string, broker: string): Contender[] {
  const rowmill = rowmillOn(python, broker)
  return [
    serialJob(python),
    {
      name: 'Pool(2)',
      command: (input, output) => [
        ...[python, join(ROOT, 'bench/pool_job.py'), input, output],
        ...['--classifier', CLASSIFIER, '--processes', '2', '--chunk-rows', '100'],
      ],
    },
    rowmill('rowmill, 1 worker', CLASSIFIER, ['--workers', '1']),
    rowmill('rowmill, 2 workers', CLASSIFIER, ['--workers', '2']),
    rowmill(DEFAULT, CLASSIFIER, []),
    passThrough(PASS, broker, { python }),
  ]
}

/** The original job. */
export function serialJob(python: string): Contender {
  const program = join(ROOT, 'examples/serial_job.py')
  return { name: SERIAL, command: (input, output) => [python, program, input, output] }
}

/** Rows that only pass through one worker. */
export function passThrough(
  name: string,
  broker: string,
  { python, options = [] }: { python: string; options?: readonly string[] },
): Contender {
  return rowmillOn(python, broker)(name, PASSES_ROWS, ['--workers', '1', '--header', ...options])
}

/** rowmill with these options. */
export const rowmillOn =
  (python: string, broker: string) =>
  (name: string, classifier: string, more: readonly string[]): Contender => ({
    name,
    command: (input, output) => [
      ...[process.execPath, join(ROOT, 'bin/rowmill.js'), 'run', input, output, '--classifier', classifier],
      ...['--python', python, '--brokers', broker, '--force', '--quiet', ...more],
    ],
  })

export const SERIAL = 'serial job'
export const DEFAULT = `rowmill, default workers (${availableParallelism()})`
export const PASS = 'pass-through, 1 worker'
/** Not contenders, but names for `--only`. */
export const RECOVERY = 'recovery'
export const FAIRNESS = 'fairness'

/** The part of rowmill, or the rival, that a process belongs to; null: none. */
export function partOf(commandLine: string): string | null {
  if (/^\S*java .*kafka\.Kafka/.test(commandLine)) return 'broker'
  if (commandLine.includes('worker-process')) return 'worker'
  if (commandLine.includes('probe-process')) return 'probe'
  if (commandLine.includes('host.py')) return 'Python'
  if (commandLine.includes('bin/rowmill.js')) return 'command'
  return /\.py /.test(commandLine) ? 'Python' : null
}
