import { CsvSource } from '../../../connectors/csv-source.ts'
import { quotesCarriageReturn } from '../../classifier/python/csv-quoting.ts'
import { checkName } from '../../core/names.ts'
import { isCurable, leavesJob } from '../../errors.ts'
import { newJobId } from '../../pipeline/new-job-id.ts'
import { publish } from '../../publish/publisher.ts'
import type { CommandSpec } from '../command.ts'
import { jobOptions } from '../job-options.ts'
import { Limits } from '../limits.ts'
import { withReplay, withResumeCommand } from '../resume-command.ts'
import { openSharedPipeline } from '../shared-pipeline.ts'
import { Terminal } from '../terminal.ts'

const OPTION_NAMES = [
  'brokers',
  'brokerTimeout',
  'compression',
  'sharedPipeline',
  'schemaRegistry',
  'schemaRegistryUserinfoFile',
  'job',
  'partitions',
  'batchRows',
  'python',
  'delimiter',
  'header',
  'indexKind',
  'cast',
  'maxRejects',
  'readCsv',
  'toCsv',
  'timeout',
  'quiet',
  'progress',
] as const

export const publishCommand: CommandSpec<(typeof OPTION_NAMES)[number]> = {
  name: 'publish',
  doc: 'publish the rows of IN as one job; its id stands alone on stdout',
  operands: [{ name: 'IN', doc: 'a CSV file, also .gz, or - for standard input' }],
  example: 'JOB=$(rowmill publish rows.csv --brokers 127.0.0.1:9092)',
  options: OPTION_NAMES,
  async act([path], options) {
    const fromOptions = jobOptions(options)
    if (options.job !== null) checkName('--job', options.job)
    const { readCsv, delimiter, indexKind, batchRows: blockRows, partitions: asked } = options
    const terminal = new Terminal({ quiet: options.quiet, progress: options.progress })
    const say = (message: string) => terminal.say(message)
    const source = new CsvSource({ path: path!, readCsv, delimiter, indexKind, say })
    const limits = new Limits('before all rows were published', options.timeout)
    const { signal } = limits
    let opened = false
    const onOpen = () => {
      opened = true
    }
    const job = options.job ?? newJobId()
    // A read of standard input may wait for ever; closed, it ends.
    signal.addEventListener('abort', () => void source.close(), { once: true })
    try {
      const [shared, header, quotes] = await Promise.all([
        openSharedPipeline('publish', options, { asked, say }),
        source.open(),
        quotesCarriageReturn(options.python, say),
      ])
      const { kafka, pipeline, partitions } = shared
      const jobs = await shared.openJobs(say, signal)
      try {
        const recorded = [...fromOptions, { name: 'quotesCarriageReturn', value: String(quotes) }]
        const onProgress = (published: number, total: number | null) => terminal.progress({ published, total })
        const context = { kafka, pipeline, jobs, say, signal }
        const rows = await publish(context, source, {
          header,
          job,
          layout: { partitions, blockRows },
          bulk: true,
          options: recorded,
          by: 'publish',
          onOpen,
          onProgress,
        })
        terminal.close()
        if (opened) say(`published ${rows} rows as job ${job} in pipeline ${pipeline}`) // else it was published before
        process.stdout.write(`${job}\n`)
        return 0
      } finally {
        await Promise.all([jobs.close(), shared.close()])
      }
    } catch (thrown) {
      const error = signal.aborted ? signal.reason : thrown // a closed source may have said anything
      if (path === '-') throw error
      if (opened && leavesJob(error)) throw withResumeCommand(error, resumeWords(job))
      throw isCurable(error) ? withReplay(error, job, { at: options, goOn: resumeWords(job) }) : error
    } finally {
      terminal.close()
      await source.close()
      limits.close()
    }
  },
}

/** The same command again, with the id of the job. */
function resumeWords(job: string): string[] {
  const words = ['rowmill', ...process.argv.slice(2)]
  return words.some(word => /^--job(=|$)/.test(word)) ? words : [...words, '--job', job]
}
