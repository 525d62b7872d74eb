import { join } from 'node:path'

export const ROOT = join(import.meta.dirname, '..')
export const BLACK_BOX = join(ROOT, 'examples/black_box.py')
/** The same, about four times as slow. */
export const SLOWER = join(ROOT, 'bench/slower.py')
const PASSES_ROWS = join(ROOT, 'bench/pass.ts')

/** One way to run the job, as a command line. No name has a comma: `--only` separates names with them. */
export interface Contender {
  readonly name: string
  command(input: string, output: string): readonly string[]
  /** More environment variables of the command. */
  readonly environment?: Readonly<Record<string, string>>
}

export const SERIAL = 'serial job'
export const POOL = 'Pool(2)'
export const PARALLEL = 'GNU parallel'

/** The original job. */
export function serialJob(python: string, classifier = BLACK_BOX): Contender {
  const job = [python, join(ROOT, 'examples/serial_job.py')]
  return { name: SERIAL, command: (input, output) => [...job, input, output, '--classifier', classifier] }
}

/** The same in a pool of two processes. */
export function pool(python: string, classifier = BLACK_BOX): Contender {
  return {
    name: POOL,
    command: (input, output) => [
      ...[python, join(ROOT, 'bench/pool_job.py'), input, output],
      ...['--classifier', classifier, '--processes', '2', '--chunk-rows', '100'],
    ],
  }
}

/** The original job twice at once, each on one half of the file. Each half begins with the header of the file. */
export function gnuParallel(python: string, classifier = BLACK_BOX): Contender {
  const halves = ['--pipepart', '--block', '-1', '--jobs', '2', '--header', ':', '--keep-order', '--will-cite', '-a']
  const job = [python, join(ROOT, 'examples/serial_job.py'), '/dev/stdin', '/dev/stdout']
  const target = ['--classifier', classifier]
  return {
    name: PARALLEL,
    command: (input, output) =>
      ['sh', '-c', 'out=$1; shift; exec "$@" > "$out"', 'sh', output].concat(
        ['parallel', ...halves, input],
        job,
        target,
      ),
  }
}

export interface RowmillContender {
  readonly python: string
  /** Null: the run starts its own. */
  readonly broker: string | null
  /** The folder of the clone that runs. Default: this one. */
  readonly root?: string
  /** Default: the black box. */
  readonly classifier?: string
  readonly options?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
}

/** `rowmill run`. */
export function rowmill(name: string, contender: RowmillContender): Contender {
  const { python, broker, root = ROOT, classifier = BLACK_BOX, options = [], environment = {} } = contender
  const place = broker === null ? [] : ['--brokers', broker]
  return {
    name,
    environment: { ROWMILL_KEEP: 'false', ...environment }, // an older commit has no --no-keep
    command: (input, output) => [
      ...[process.execPath, join(root, 'bin/rowmill.js'), 'run', input, output, '--classifier', classifier],
      ...['--python', python, ...place, '--force', '--quiet', ...options],
    ],
  }
}

/** Rows that only pass through one worker. */
export function passThrough(
  name: string,
  broker: string,
  { python, options = [], root = ROOT }: { python: string; options?: readonly string[]; root?: string },
): Contender {
  const more = ['--workers', '1', '--header', ...options]
  return rowmill(name, { python, broker, root, classifier: PASSES_ROWS, options: more })
}

/** The part of rowmill, or the rival, that a process belongs to; null: none. */
export function partOf(commandLine: string): string | null {
  if (/^\S*java .*kafka\.Kafka/.test(commandLine)) return 'broker'
  if (/^\S*java .* PassThrough /.test(commandLine)) return 'Kafka Streams'
  if (/^\S*perl .*\/parallel /.test(commandLine)) return 'parallel'
  if (/^\S*python[0-9.]* /.test(commandLine)) return 'Python'
  if (commandLine.includes('worker-process')) return 'worker'
  if (commandLine.includes('probe-process')) return 'probe'
  if (commandLine.includes('bin/rowmill.js monitor')) return 'monitor'
  return commandLine.includes('bin/rowmill.js') ? 'command' : null
}
