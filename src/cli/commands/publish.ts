import { CsvSource } from '../../../connectors/csv-source.ts'
import { tcpAddress } from '../../../connectors/tcp/address.ts'
import { TcpSource } from '../../../connectors/tcp-source.ts'
import { quotesCarriageReturn } from '../../classifier/python/csv-quoting.ts'
import type { Source } from '../../connector.ts'
import { checkName } from '../../core/names.ts'
import { isCurable, leavesJob } from '../../errors.ts'
import type { OptionValues } from '../../options.ts'
import { newJobId } from '../../pipeline/new-job-id.ts'
import { publish } from '../../publish/publisher.ts'
import type { Observer } from '../../reports/observer.ts'
import { reportLater } from '../../reports/report-later.ts'
import { counted } from '../../support/counted.ts'
import { defineCommand } from '../command.ts'
import { jobOptions } from '../job-options.ts'
import { printJson } from '../json-output.ts'
import { type Session, withinLimits } from '../limits.ts'
import { logAbout } from '../log.ts'
import { METER_OPTIONS, withMeter } from '../metering.ts'
import { checkPasted, type Pasted, withPasted } from '../pasted-calls.ts'
import { sameCommand, withReplay, withResumeCommand } from '../resume-command.ts'
import { onSharedPipeline, SHARED_OPTIONS } from '../shared-pipeline.ts'
import { print } from '../standard-output.ts'

const JSON_SHAPE = {
  line: 'the job',
  fields: { job: 'its id', pipeline: 'the pipeline it is in', rows: 'how many rows it has' },
}

const PUBLISH_OPTIONS = [
  'job',
  'partitions',
  'batchRows',
  'python',
  'delimiter',
  'header',
  'indexKind',
  'cast',
  'maxRejects',
  'outputRows',
  'readCsv',
  'toCsv',
  'read',
  'write',
  'lowMemory',
  'classifier',
  'compression',
  'tracing',
  'progress',
  'progressFormat',
  'output',
  ...METER_OPTIONS,
  ...SHARED_OPTIONS,
] as const

type PublishValues = OptionValues<(typeof PUBLISH_OPTIONS)[number]>

export const publishCommand = defineCommand({
  name: 'publish',
  doc: 'publish the rows of IN as one job; prints its id, and nothing else, on stdout',
  operands: [
    {
      name: 'IN',
      doc: 'a CSV file, also .gz, .bz2, .zip or .zst (with --read also .xz and .tar); - for standard input; tcp://HOST:PORT to listen for one sender',
    },
  ],
  example: 'JOB=$(rowmill publish rows.csv --brokers 127.0.0.1:9092)',
  options: PUBLISH_OPTIONS,
  docs: { classifier: 'the classifier: its module has the functions and dtypes that --read and --write name' },
  exits: [5, 6],
  json: JSON_SHAPE,
  act([path], options) {
    checkPasted(path!, options)
    if (options.job !== null) checkName('--job', options.job)
    return withinLimits(options, 'before all rows were published', session =>
      withMeter({ command: 'publish', options, output: null, say: session.say }, observer =>
        withPasted({ input: path!, options, session, forJob: true }, pasted =>
          publishPath(path!, { ...options, observer }, session, pasted),
        ),
      ),
    )
  },
})

async function publishPath(
  path: string,
  { observer, ...options }: PublishValues & { readonly observer: Observer | null },
  session: Session,
  pasted: Pasted | null,
): Promise<number> {
  const fromOptions = jobOptions(options, pasted)
  const job = options.job ?? newJobId()
  logAbout({ job })
  const { batchRows: blockRows, partitions: asked } = options
  const { terminal, say, signal } = session
  const source = pasted?.source ?? sourceOf(path, options, say)
  // A read of standard input or of a connection may wait forever. Closing the source ends it.
  signal.addEventListener('abort', () => void source.close(), { once: true })
  let opened = false
  const onOpen = () => {
    opened = true
  }
  try {
    const meanwhile = Promise.all([source.open(), quotesCarriageReturn(options.python, say)])
    const use = { command: 'publish', options, topics: { asked }, meanwhile }
    const isReached = Promise.withResolvers<void>()
    observer?.needs('the cluster is reached and the input is open', isReached.promise)
    await onSharedPipeline(session, use, async (context, { partitions }, [header, quotes]) => {
      isReached.resolve()
      const layout = { partitions, blockRows }
      const recorded = [...fromOptions, { name: 'quotesCarriageReturn', value: String(quotes) }]
      const what = { header, job, layout, bulk: true, options: recorded, by: 'publish' }
      let publishing = { job, published: 0, total: header.total }
      const look = () => ({ publishing, working: null, collecting: null })
      observer?.watch(look)
      observer?.connected(context.kafka, context.pipeline)
      const reports = reportLater({ ...context, command: 'publish', look })
      const onProgress = (published: number, total: number | null) => {
        publishing = { job, published, total }
        terminal.progress({ published, total })
      }
      const onSent = (sent: number) => observer?.sent(sent)
      const publishes = publish(context, source, { ...what, onOpen, onSent, onProgress })
      const rows = await publishes.then(
        rows => reports.close().then(() => rows),
        error => reports.close(signal.aborted ? signal.reason : error).then(() => Promise.reject(error)),
      )
      terminal.close()
      if (opened) say(`published ${counted(rows, 'row')} as job ${job} in pipeline ${context.pipeline}`) // else it was before
      if (options.output === 'json') printJson(JSON_SHAPE, [{ job, pipeline: context.pipeline, rows }])
      else print(`${job}\n`)
    })
    return 0
  } catch (thrown) {
    const error = signal.aborted ? signal.reason : thrown // a source that was closed may have thrown anything
    if (path === '-' || tcpAddress(path)) throw error // its rows cannot be read again
    if (opened && leavesJob(error)) throw withResumeCommand(error, resumeWords(job))
    throw isCurable(error) ? withReplay(error, job, { at: options, resume: resumeWords(job) }) : error
  } finally {
    await source.close()
  }
}

function sourceOf(path: string, options: PublishValues, say: Session['say']): Source {
  const { readCsv, toCsv, delimiter, indexKind } = options
  const reading = { readCsv, toCsv, delimiter, indexKind, say }
  const address = tcpAddress(path)
  return address ? new TcpSource({ ...reading, address }) : new CsvSource({ ...reading, path })
}

/** The same command again, with the id of the job. */
function resumeWords(job: string): string[] {
  const words = sameCommand()
  return words.some(word => /^--job(=|$)/.test(word)) ? words : [...words, '--job', job]
}
