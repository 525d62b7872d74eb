import { existsSync, realpathSync, statSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { CsvSource } from '../../connectors/csv-source.ts'
import { checkOutput, FileSink } from '../../connectors/file-sink.ts'
import { StdoutSink } from '../../connectors/stdout-sink.ts'
import { RowmillError } from '../errors.ts'
import type { JobOption } from '../model.ts'
import type { OptionValues } from '../options.ts'
import { type RunReport, run } from '../run.ts'
import { checkName } from '../topics.ts'
import { version } from '../version.ts'
import type { CommandSpec } from './command.ts'
import { jobOptions } from './job-options.ts'
import { Limits } from './limits.ts'
import { Terminal } from './terminal.ts'

const OPTION_NAMES = [
  'classifier',
  'workers',
  'batchRows',
  'partitions',
  'brokers',
  'pipeline',
  'schemaRegistry',
  'python',
  'job',
  'delimiter',
  'header',
  'indexKind',
  'cast',
  'readCsv',
  'toCsv',
  'force',
  'timeout',
  'quiet',
  'progress',
  'report',
] as const

type RunValues = OptionValues<(typeof OPTION_NAMES)[number]>

export const runCommand: CommandSpec<(typeof OPTION_NAMES)[number]> = {
  name: 'run',
  doc: 'read IN, classify every row, write OUT: the whole pipeline on this machine',
  operands: [
    { name: 'IN', doc: 'a CSV file, also .gz, or - for standard input' },
    { name: 'OUT', doc: 'the file to write, or - for standard output' },
  ],
  example: 'rowmill run rows.csv classified.csv --classifier black_box.py:classify_df',
  options: OPTION_NAMES,
  async act([input, output], options) {
    const jobOptions = checkOptions(input!, output!, options)
    if (output !== '-') await checkOutput(output!, options.force)
    const terminal = new Terminal(options)
    const say = (message: string) => terminal.say(message)
    const limits = new Limits('before the job was complete', options.timeout)
    try {
      const report = await run({
        source: new CsvSource({
          path: input!,
          readCsv: options.readCsv,
          delimiter: options.delimiter,
          indexKind: options.indexKind,
          say,
        }),
        sink: output === '-' ? new StdoutSink() : new FileSink({ path: output!, force: options.force }),
        classifier: options.classifier!,
        python: options.python,
        workers: options.workers,
        batchRows: options.batchRows,
        partitions: options.partitions,
        brokers: options.brokers,
        pipeline: options.pipeline,
        schemaRegistry: options.schemaRegistry,
        job: options.job,
        options: jobOptions,
        signal: limits.signal,
        say,
        onOutput: text => terminal.output(text),
        onProgress: progress => terminal.progress(progress),
      })
      terminal.close()
      await tellReport(report, options, terminal)
      return 0
    } finally {
      terminal.close()
      limits.close()
    }
  },
}

/** Everything that can be wrong with a command line, before anything starts; returns what goes into the job record. */
function checkOptions(input: string, output: string, options: RunValues): JobOption[] {
  if (options.classifier === null) {
    throw new RowmillError(
      'USAGE',
      'which classifier? Give --classifier FILE[:NAME]; rowmill run --help shows an example',
    )
  }
  if (options.job !== null) checkName('--job', options.job)
  if (options.pipeline !== null) checkName('--pipeline', options.pipeline)
  if (options.report !== null && !existsSync(dirname(options.report))) {
    const message = `--report ${options.report}: the folder does not exist, create it first`
    throw new RowmillError('USAGE', message, { path: options.report })
  }
  if (input !== '-' && output !== '-' && sameFile(input, output)) {
    throw new RowmillError('USAGE', `IN and OUT are the same file, ${input}: choose another OUT`, { path: input })
  }
  return jobOptions(options)
}

function sameFile(a: string, b: string): boolean {
  try {
    const [first, second] = [statSync(realpathSync(a)), statSync(realpathSync(b))]
    return first.dev === second.dev && first.ino === second.ino
  } catch {
    return false // one of them is not there
  }
}

async function tellReport(report: RunReport, options: RunValues, terminal: Terminal): Promise<void> {
  const { rows, seconds, startSeconds, rowsByWorker } = report
  const rowsPerSecond = seconds > 0 ? Math.round(rows / seconds) : 0
  terminal.say(
    `${rows} rows in ${seconds.toFixed(1)} s (${startSeconds.toFixed(1)} s to start), ${rowsPerSecond} rows/s`,
  )
  for (const [worker, count] of Object.entries(rowsByWorker).sort()) terminal.say(`  ${worker}: ${count} rows`)
  if (!options.report) return
  const whole = { rowmill: version(), node: process.versions.node, rowsPerSecond, ...report }
  await writeFile(options.report, `${JSON.stringify(whole, null, 2)}\n`).catch(cause => {
    const message = `OUT is complete, but the report could not be written to ${options.report}: ${cause.message}`
    throw new RowmillError('OUTPUT_FAILED', message, { path: options.report }, { cause })
  })
}
