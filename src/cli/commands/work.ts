import { checkName } from '../../core/names.ts'
import { RowmillError } from '../../errors.ts'
import { untilClassified } from '../../jobs/until-classified.ts'
import { defaultPartitions } from '../../pipeline/topics.ts'
import { untilAborted } from '../../support/abort.ts'
import type { Say } from '../../support/say.ts'
import { Supervisor } from '../../work/supervisor.ts'
import type { CommandSpec } from '../command.ts'
import { Limits } from '../limits.ts'
import { openSharedPipeline, type SharedPipeline } from '../shared-pipeline.ts'
import { Terminal } from '../terminal.ts'
import { Waiting } from '../waiting.ts'

const OPTION_NAMES = [
  'brokers',
  'brokerTimeout',
  'compression',
  'sharedPipeline',
  'schemaRegistry',
  'schemaRegistryUserinfoFile',
  'classifier',
  'workers',
  'batchRows',
  'batchTimeout',
  'classifierMemory',
  'python',
  'untilDone',
  'timeout',
  'quiet',
] as const

export const workCommand: CommandSpec<(typeof OPTION_NAMES)[number]> = {
  name: 'work',
  doc: 'classify the rows of every job of a pipeline, until it is stopped or the job of --until-done is classified',
  operands: [],
  example: 'rowmill work --classifier black_box.py --workers 2 --brokers 127.0.0.1:9092',
  options: OPTION_NAMES,
  async act(_, options) {
    const { classifier: target, workers, python, batchRows, batchTimeout, classifierMemory, quiet, untilDone } = options
    if (target === null) throw new RowmillError('USAGE', 'which classifier? Give --classifier FILE[:NAME]')
    if (untilDone !== null) checkName('--until-done', untilDone)
    const terminal = new Terminal({ quiet, progress: false })
    const say = (message: string) => terminal.say(message)
    const onOutput = (text: string) => terminal.output(text)
    const limits = new Limits('before it was done', options.timeout)
    const { signal } = limits
    const stopped = untilAborted(signal)
    let waitsFor: string | null = null
    const waiting = new Waiting(say, async () => waitsFor)
    const onBatch = () => waiting.progress()
    const supervisor = new Supervisor({
      workers,
      python,
      target,
      batchRows,
      batchTimeout,
      classifierMemory,
      say,
      onOutput,
      onBatch,
    })
    supervisor.start()
    const ended = new AbortController()
    const waitFor = (what: string) => {
      waitsFor = what
    }
    const until = { say, waitFor, signal: AbortSignal.any([signal, ended.signal]) }
    let how: 'drain' | 'kill' = 'kill'
    let done: Promise<void> | null = null
    try {
      const shared = await openSharedPipeline('work', options, { ifNew: defaultPartitions(workers), say })
      await shared.close()
      const { kafka, pipeline, registryIds } = shared
      supervisor.work(kafka.settings, { pipeline, bulk: true, registryIds })
      waitFor(`waiting for rows of pipeline ${pipeline}: nothing to classify`)
      done = untilDone === null ? null : untilJobDone(untilDone, shared, until)
      await Promise.race([stopped, supervisor.failed, ...(done ? [done] : [])])
      how = 'drain'
      if (limits.timedOut || untilDone !== null) signal.throwIfAborted() // else to be stopped is how it ends
      return 0
    } finally {
      ended.abort()
      await Promise.allSettled([supervisor.close(how), done])
      waiting.close()
      limits.close()
    }
  },
}

async function untilJobDone(
  job: string,
  { kafka, pipeline, openJobs }: SharedPipeline,
  { say, waitFor, signal }: { say: Say; waitFor: (what: string) => void; signal: AbortSignal },
): Promise<void> {
  const jobs = await openJobs(say, signal)
  try {
    waitFor(`job ${job} is not published yet in pipeline ${pipeline}`)
    await jobs.until(job, () => true, signal)
    waitFor(`job ${job} is not classified to its end: waiting for its rows, or for other workers that have them`)
    await untilClassified({ kafka, pipeline, jobs, say, signal }, job)
  } finally {
    await jobs.close()
  }
}
