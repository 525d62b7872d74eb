import { FileSink, finishCommit } from '../../connectors/file-sink.ts'
import { StdoutSink } from '../../connectors/stdout-sink.ts'
import { collect } from '../collector.ts'
import { COMPLETE_WITH_REJECTS, isCurable, isOfOutput, leavesJob } from '../errors.ts'
import { workersGroup } from '../topics.ts'
import { Waiting } from '../waiting.ts'
import type { CommandSpec } from './command.ts'
import { Limits } from './limits.ts'
import { withReplay, withResumeCommand } from './resume-command.ts'
import { openSharedPipeline, requireJob } from './shared-pipeline.ts'
import { Terminal } from './terminal.ts'

const OPTION_NAMES = [
  'brokers',
  'brokerTimeout',
  'sharedPipeline',
  'schemaRegistry',
  'id',
  'force',
  'restart',
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
    const { force, restart } = options
    const job = requireJob(options.id)
    const sink = output === '-' ? new StdoutSink() : new FileSink({ path: output!, force, restart })
    if (output !== '-' && (await finishCommit(output!))) {
      new Terminal(options).say(`${output} is complete already`)
      return 0
    }
    const terminal = new Terminal({ quiet: options.quiet, progress: options.progress })
    const say = (message: string) => terminal.say(message)
    const limits = new Limits('before the job was complete', options.timeout)
    try {
      if (sink instanceof FileSink) await sink.reserve()
      const shared = await openSharedPipeline('collect', options)
      const { kafka, pipeline } = shared
      const jobs = await shared.openJobs(say)
      const waiting = new Waiting(say, async () => {
        const known = jobs.peek(job)
        if (!known) return `job ${job} is not published yet in pipeline ${pipeline}`
        const workers = await shared.workers()
        if (workers > 0 && known.state === 'open')
          return `job ${job} is not published to its end: waiting for its publisher (${workers} workers are there). If that was stopped, rowmill publish IN --job ${job} goes on`
        if (workers > 0) return `waiting for the ${workers} workers of group ${workersGroup(pipeline)}`
        return `no worker in group ${workersGroup(pipeline)}: start rowmill work --pipeline ${pipeline}`
      })
      try {
        const onProgress = (classified: number, written: number) => {
          waiting.progress()
          terminal.progress({ classified, written, total: jobs.peek(job)?.total ?? null })
        }
        const { rows, rejects } = await collect({
          kafka,
          pipeline,
          jobs,
          job,
          sink,
          say,
          signal: limits.signal,
          onProgress,
        })
        terminal.close()
        const without = rejects === 0 ? '' : `; ${rejects} rows were rejected, within the budget of the job`
        say(`${rows} rows of job ${job} in ${output === '-' ? 'standard output' : output}${without}`)
        return rejects === 0 ? 0 : COMPLETE_WITH_REJECTS
      } finally {
        waiting.close()
        await Promise.all([jobs.close(), shared.close()])
      }
    } catch (error) {
      if (output === '-') throw error
      const again = ['rowmill', ...process.argv.slice(2)]
      if (leavesJob(error)) throw withResumeCommand(error, again)
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
