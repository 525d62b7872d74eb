import { finishCommit } from '../../../connectors/file/finish-commit.ts'
import { FileSink } from '../../../connectors/file-sink.ts'
import { GrowingFileSink } from '../../../connectors/growing-file-sink.ts'
import { StdoutSink } from '../../../connectors/stdout-sink.ts'
import { type Collected, collect } from '../../collect/collector.ts'
import type { Sink } from '../../connector.ts'
import { COMPLETE_WITH_REJECTS, isCurable, isOfOutput, leavesJob, RowmillError, toRowmillError } from '../../errors.ts'
import type { OptionValues } from '../../options.ts'
import { methodOf } from '../../pandas/packing.ts'
import type { CommandSpec } from '../command.ts'
import { describeWait } from '../describe-wait.ts'
import { Limits } from '../limits.ts'
import { withReplay, withResumeCommand } from '../resume-command.ts'
import { openSharedPipeline, requireJob } from '../shared-pipeline.ts'
import { Terminal } from '../terminal.ts'
import { Waiting } from '../waiting.ts'

const OPTION_NAMES = [
  'brokers',
  'brokerTimeout',
  'sharedPipeline',
  'schemaRegistry',
  'schemaRegistryUserinfoFile',
  'id',
  'force',
  'restart',
  'follow',
  'python',
  'timeout',
  'quiet',
  'progress',
] as const

export const collectCommand: CommandSpec<(typeof OPTION_NAMES)[number]> = {
  name: 'collect',
  doc: 'write the classified rows of one job to OUT, in order; ends when the job is complete',
  operands: [{ name: 'OUT', doc: 'the file to write, or - for standard output' }],
  example: 'rowmill collect classified.csv --job "$JOB" --brokers 127.0.0.1:9092',
  options: OPTION_NAMES,
  async act([output], options) {
    const job = requireJob(options.id)
    if (output !== '-' && (await finishCommit(output!, job))) {
      new Terminal(options).say(`${output} is complete already`)
      return 0
    }
    const sink = openSink(output!, options)
    const terminal = new Terminal({ quiet: options.quiet, progress: options.progress })
    const limits = new Limits('before the job was complete', options.timeout)
    try {
      if (!(sink instanceof StdoutSink)) await sink.reserve()
      const { rows, rejects } = await collectShared(job, sink, { options, terminal, signal: limits.signal })
      terminal.close()
      const without = rejects === 0 ? '' : `; ${rejects} rows were rejected, within the budget of the job`
      terminal.say(`${rows} rows of job ${job} in ${output === '-' ? 'standard output' : output}${without}`)
      return rejects === 0 ? 0 : COMPLETE_WITH_REJECTS
    } catch (error) {
      if (output === '-') throw error
      const again = ['rowmill', ...process.argv.slice(2)].filter(word => word !== '--restart') // or it would throw this away
      if (leavesJob(error)) throw withResumeCommand(error, again)
      if (options.follow) throw error // a job of events is not opened again, and its rows so far stay
      if (isCurable(error)) throw withReplay(error, job, { at: options, goOn: again })
      await sink.close()
      if (sink instanceof FileSink && !isOfOutput(error)) await sink.discard() // nobody can go on with it
      throw error
    } finally {
      terminal.close()
      limits.close()
      await sink.close()
    }
  },
}

type Options = OptionValues<(typeof OPTION_NAMES)[number]>

function openSink(path: string, { force, restart, follow, python }: Options): FileSink | GrowingFileSink | StdoutSink {
  if (path === '-') return new StdoutSink()
  if (!follow) return new FileSink({ path, force, restart, python })
  const method = methodOf(path)
  if (method === null) return new GrowingFileSink({ path, force, restart })
  const message = `OUT ${path} would be packed (${method}), and a file that grows cannot be: choose another name with --follow`
  throw new RowmillError('USAGE', message, { path })
}

async function collectShared(
  job: string,
  sink: Sink,
  { options, terminal, signal }: { options: Options; terminal: Terminal; signal: AbortSignal },
): Promise<Collected> {
  const say = (message: string) => terminal.say(message)
  const shared = await openSharedPipeline('collect', options, { writes: false, say })
  const { kafka, pipeline } = shared
  const jobs = await shared.openJobs(say, signal)
  const waiting = new Waiting(say, () => describeWait(job, jobs, shared))
  const onProgress = (classified: number, written: number) => {
    waiting.progress()
    terminal.progress({ classified, written, total: jobs.peek(job)?.total ?? null })
  }
  try {
    const { follow } = options
    return await collect({ kafka, pipeline, jobs, say, signal }, { job, sink, follow, onProgress })
  } catch (error) {
    if (toRowmillError(error).code === 'TIMEOUT') await waiting.tell()
    throw error
  } finally {
    waiting.close()
    await Promise.all([jobs.close(), shared.close()])
  }
}
