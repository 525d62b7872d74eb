import { CsvSource } from '../../../connectors/csv-source.ts'
import { tcpAddress } from '../../../connectors/tcp/address.ts'
import { TcpSource } from '../../../connectors/tcp-source.ts'
import { quotesCarriageReturn } from '../../classifier/python/csv-quoting.ts'
import { checkName } from '../../core/names.ts'
import { isCurable, leavesJob } from '../../errors.ts'
import { newJobId } from '../../pipeline/new-job-id.ts'
import { publish } from '../../publish/publisher.ts'
import { counted } from '../../support/counted.ts'
import { defineCommand } from '../command.ts'
import { jobOptions } from '../job-options.ts'
import { printJson } from '../json-output.ts'
import { withinLimits } from '../limits.ts'
import { sameCommand, withReplay, withResumeCommand } from '../resume-command.ts'
import { onSharedPipeline, SHARED_OPTIONS } from '../shared-pipeline.ts'

const JSON_SHAPE = {
  line: 'the job',
  fields: { job: 'its id', pipeline: 'the pipeline it is in', rows: 'how many rows it has' },
}

export const publishCommand = defineCommand({
  name: 'publish',
  doc: 'publish the rows of IN as one job; prints its id, and nothing else, on stdout',
  operands: [
    { name: 'IN', doc: 'a CSV file, also .gz; - for standard input; tcp://HOST:PORT to listen for one sender' },
  ],
  example: 'JOB=$(rowmill publish rows.csv --brokers 127.0.0.1:9092)',
  options: [
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
    'compression',
    'progress',
    'output',
    ...SHARED_OPTIONS,
  ],
  exits: [5, 6],
  json: JSON_SHAPE,
  async act([path], options) {
    const fromOptions = jobOptions(options)
    if (options.job !== null) checkName('--job', options.job)
    const job = options.job ?? newJobId()
    const address = tcpAddress(path!)
    const { readCsv, toCsv, delimiter, indexKind, batchRows: blockRows, partitions: asked } = options
    return await withinLimits(options, 'before all rows were published', async session => {
      const { terminal, say, signal } = session
      const reading = { readCsv, toCsv, delimiter, indexKind, say }
      const source = address ? new TcpSource({ ...reading, address }) : new CsvSource({ ...reading, path: path! })
      // A read of standard input or of a connection may wait forever. Closing the source ends it.
      signal.addEventListener('abort', () => void source.close(), { once: true })
      let opened = false
      const onOpen = () => {
        opened = true
      }
      try {
        const meanwhile = Promise.all([source.open(), quotesCarriageReturn(options.python, say)])
        const use = { command: 'publish', options, topics: { asked }, meanwhile }
        await onSharedPipeline(session, use, async (context, { partitions }, [header, quotes]) => {
          const layout = { partitions, blockRows }
          const recorded = [...fromOptions, { name: 'quotesCarriageReturn', value: String(quotes) }]
          const what = { header, job, layout, bulk: true, options: recorded, by: 'publish' }
          const onProgress = (published: number, total: number | null) => terminal.progress({ published, total })
          const rows = await publish(context, source, { ...what, onOpen, onProgress })
          terminal.close()
          if (opened) say(`published ${counted(rows, 'row')} as job ${job} in pipeline ${context.pipeline}`) // else it was before
          if (options.output === 'json') printJson(JSON_SHAPE, [{ job, pipeline: context.pipeline, rows }])
          else process.stdout.write(`${job}\n`)
        })
        return 0
      } catch (thrown) {
        const error = signal.aborted ? signal.reason : thrown // a source that was closed may have thrown anything
        if (path === '-' || address) throw error // its rows cannot be read again
        if (opened && leavesJob(error)) throw withResumeCommand(error, resumeWords(job))
        throw isCurable(error) ? withReplay(error, job, { at: options, resume: resumeWords(job) }) : error
      } finally {
        await source.close()
      }
    })
  },
})

/** The same command again, with the id of the job. */
function resumeWords(job: string): string[] {
  const words = sameCommand()
  return words.some(word => /^--job(=|$)/.test(word)) ? words : [...words, '--job', job]
}
