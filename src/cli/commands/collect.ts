import { resolve } from 'node:path'
import { finishCommit, forgetCommit } from '../../../connectors/file/finish-commit.ts'
import { FileSink } from '../../../connectors/file-sink.ts'
import { GrowingFileSink } from '../../../connectors/growing-file-sink.ts'
import { StdoutSink } from '../../../connectors/stdout-sink.ts'
import { tcpAddress } from '../../../connectors/tcp/address.ts'
import { TcpSink } from '../../../connectors/tcp-sink.ts'
import type { Collected } from '../../collect/collect-options.ts'
import { collect } from '../../collect/collector.ts'
import type { Sink } from '../../connector.ts'
import { COMPLETE_WITH_REJECTS, isCurable, isOfOutput, leavesJob, RowmillError, toRowmillError } from '../../errors.ts'
import type { Rejected } from '../../model.ts'
import type { OptionValues } from '../../options.ts'
import { methodOf } from '../../pandas/packing.ts'
import type { Observer } from '../../reports/observer.ts'
import type { CollectingReport } from '../../reports/report.ts'
import { reportLater } from '../../reports/report-later.ts'
import { counted } from '../../support/counted.ts'
import { defineCommand } from '../command.ts'
import { describeWait } from '../describe-wait.ts'
import { checkOutputFree, nullsOf, printJson } from '../json-output.ts'
import { type Session, withinLimits } from '../limits.ts'
import { METER_OPTIONS, withMeter } from '../metering.ts'
import { noteLater } from '../note-later.ts'
import { publicProperties } from '../public-properties.ts'
import { sameCommand, withReplay, withResumeCommand } from '../resume-command.ts'
import { onSharedPipeline, requireJob, SHARED_OPTIONS, type SharedOptions } from '../shared-pipeline.ts'
import { Terminal } from '../terminal.ts'
import { Waiting } from '../waiting.ts'

const JSON_SHAPE = {
  line: 'the job',
  fields: {
    job: 'its id',
    out: 'OUT',
    rows: 'rows with a result; null if an interrupted collect had already completed OUT and this one only cleaned up',
    rejects: 'rejected rows, which are not in OUT; null as for rows',
    rowsOut: 'rows in OUT; null as for rows',
    duplicates: 'results that came twice and were dropped; null as for rows',
    rowsByWorker: 'how many rows of OUT each worker classified; null as for rows',
  },
}

const COLLECT_OPTIONS = [
  'id',
  'force',
  'restart',
  'follow',
  'python',
  'tracing',
  'progress',
  'progressFormat',
  'output',
  ...METER_OPTIONS,
  ...SHARED_OPTIONS,
] as const

type CollectValues = OptionValues<(typeof COLLECT_OPTIONS)[number]>

export const collectCommand = defineCommand({
  name: 'collect',
  doc: 'write the classified rows of one job to OUT, in order; ends when the job is complete',
  operands: [{ name: 'OUT', doc: 'the file to write; - for standard output; tcp://HOST:PORT to send to a receiver' }],
  example: 'rowmill collect classified.csv --job "$JOB" --brokers 127.0.0.1:9092',
  options: COLLECT_OPTIONS,
  json: JSON_SHAPE,
  exits: [COMPLETE_WITH_REJECTS, 5, 6],
  async act([path], options) {
    const output = path!
    const job = requireJob(options.id)
    checkOutputFree(output, options.output)
    if (isFile(output) && (await finishCommit(output, job))) {
      new Terminal(options).say(`${output} is complete already`)
      if (options.output === 'json') printJson(JSON_SHAPE, [{ ...nullsOf(JSON_SHAPE), job, out: output }])
      return 0
    }
    const file = isFile(output) ? output : null
    return await withinLimits(options, 'before the job was complete', session =>
      withMeter({ command: 'collect', options, output: file, say: session.say }, observer =>
        collectTo(output, job, { options, session, observer }),
      ),
    )
  },
})

/** Otherwise it goes to standard output or to a receiver. */
function isFile(output: string): boolean {
  return output !== '-' && tcpAddress(output) === null
}

interface CollectParts {
  readonly options: CollectValues
  readonly session: Session
  readonly observer: Observer | null
}

async function collectTo(output: string, job: string, parts: CollectParts): Promise<number> {
  const { options, session } = parts
  const { terminal, say } = session
  const sink = openSink(output, options, session)
  try {
    if (sink instanceof FileSink || sink instanceof GrowingFileSink) await sink.reserve()
    const { rows, rejects, rowsOut, duplicates, rowsByWorker } = await collectShared(output, sink, { ...parts, job })
    terminal.close()
    const without =
      rejects === 0
        ? ''
        : `; ${counted(rejects, 'row')} ${rejects === 1 ? 'was' : 'were'} rejected, within the budget of the job (--max-rejects)`
    const made = rowsOut === rows ? '' : `, made of ${counted(rows, 'row')},`
    say(`${counted(rowsOut, 'row')}${made} of job ${job} in ${output === '-' ? 'standard output' : output}${without}`)
    if (options.output === 'json') {
      const byWorker = Object.fromEntries(rowsByWorker)
      printJson(JSON_SHAPE, [{ job, out: output, rows, rejects, rowsOut, duplicates, rowsByWorker: byWorker }])
    }
    // A collector killed before this line finds the proof, and does not append again.
    if (sink instanceof FileSink) await forgetCommit(output, job).catch(() => {})
    return rejects === 0 ? 0 : COMPLETE_WITH_REJECTS
  } catch (error) {
    if (!isFile(output)) throw error
    const again = sameCommand().filter(word => word !== '--restart') // it discards OUT
    if (leavesJob(error)) throw withResumeCommand(error, again)
    if (options.follow) throw error // a job of events has one attempt, and OUT keeps its rows so far
    if (isCurable(error)) throw withReplay(error, job, { at: options, resume: again })
    await sink.close()
    const keeps = isOfOutput(error) || toRowmillError(error).code === 'USAGE' // an option may be wrong, and not the job
    if (sink instanceof FileSink && !keeps) await sink.discard() // nobody can resume it
    throw error
  } finally {
    await sink.close()
  }
}

type SinkOptions = SharedOptions & OptionValues<'force' | 'restart' | 'follow' | 'python'>

function openSink(path: string, { force, restart, follow, python }: SinkOptions, { say, signal }: Session): Sink {
  if (path === '-') return new StdoutSink()
  const address = tcpAddress(path)
  if (address) return new TcpSink({ address, say, signal })
  if (!follow) return new FileSink({ path, force, restart, python, asksJob: true, keepsProof: true })
  const method = methodOf(path)
  if (method === null) return new GrowingFileSink({ path, force, restart })
  const message = `OUT ${path} would be compressed (${method}), and --follow cannot append to a compressed file: choose another name`
  throw new RowmillError('USAGE', message, { path })
}

function collectShared(
  output: string,
  sink: Sink,
  { job, options, session, observer }: CollectParts & { readonly job: string },
): Promise<Collected> {
  const use = { command: 'collect', options, topics: { writes: false } }
  const isReached = Promise.withResolvers<void>()
  observer?.needs('the cluster is reached', isReached.promise)
  return onSharedPipeline(session, use, async (context, shared) => {
    const { jobs, say } = context
    isReached.resolve()
    const waiting = new Waiting(say, () => describeWait(job, jobs, shared))
    const onProgress = (classified: number, written: number, rejected: number) => {
      waiting.progress()
      session.terminal.progress({ classified, written, rejected, total: jobs.peek(job)?.total ?? null })
    }
    observer?.connected(context.kafka, context.pipeline)
    let collecting = (): CollectingReport | null => null
    const look = () => ({ publishing: null, working: null, collecting: collecting() })
    observer?.watch(look)
    const uses = { output: isFile(output) ? resolve(output) : output }
    // Nothing else says whether a file has the rows, or that what an earlier collect said is over.
    const reports = reportLater({ ...context, command: 'collect', look, uses }, { tellsEnd: true })
    const cluster = publicProperties(options.property)
    const note = noteLater({ command: 'collect', ...uses, job, pipeline: context.pipeline, cluster })
    let failure: unknown = null
    const onBegin = (report: () => CollectingReport) => {
      collecting = report
    }
    try {
      return await collect(context, {
        ...{ job, sink, follow: options.follow, onProgress, onBegin },
        onArrival: rows => observer?.arrived(rows),
        onWaited: seconds => observer?.waited(seconds),
        onRejected: rejected => observer?.rejected(countBy(rejected)),
      })
    } catch (error) {
      failure = error
      if (toRowmillError(error).code === 'TIMEOUT') await waiting.tell()
      throw error
    } finally {
      waiting.close()
      await Promise.all([reports.close(failure), note.close()])
    }
  })
}

/** How many rows were rejected for each reason. */
function countBy(rejected: readonly Rejected[]): Record<string, number> {
  const groups = Object.entries(Object.groupBy(rejected, ({ reason }) => reason))
  return Object.fromEntries(groups.map(([reason, rows]) => [reason, rows!.length]))
}
