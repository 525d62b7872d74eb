import { RowmillError } from '../errors.ts'
import { Supervisor } from '../supervisor.ts'
import { topicsOf } from '../topics.ts'
import { Waiting } from '../waiting.ts'
import type { CommandSpec } from './command.ts'
import { Limits } from './limits.ts'
import { openSharedPipeline } from './shared-pipeline.ts'
import { Terminal } from './terminal.ts'

const OPTION_NAMES = ['brokers', 'sharedPipeline', 'classifier', 'workers', 'batchRows', 'python', 'quiet'] as const

export const workCommand: CommandSpec<(typeof OPTION_NAMES)[number]> = {
  name: 'work',
  doc: 'classify the rows of every job of a pipeline until it is stopped',
  operands: [],
  example: 'rowmill work --classifier black_box.py --workers 2 --brokers 127.0.0.1:9092',
  options: OPTION_NAMES,
  async act(_, options) {
    const { classifier: target, workers, python, batchRows, quiet } = options
    if (target === null) throw new RowmillError('USAGE', 'which classifier? Give --classifier FILE[:NAME]')
    const terminal = new Terminal({ quiet, progress: false })
    const say = (message: string) => terminal.say(message)
    const onOutput = (text: string) => terminal.output(text)
    const limits = new Limits('while the workers drained', null)
    let waitsFor: string | null = null
    const waiting = new Waiting(say, async () => waitsFor)
    const onBatch = () => waiting.progress()
    const supervisor = new Supervisor({ workers, python, target, batchRows, say, onOutput, onBatch })
    supervisor.start()
    let drained = false
    try {
      const stopped = new Promise<void>(resolve => limits.signal.addEventListener('abort', () => resolve()))
      const { kafka, pipeline, partitions, close } = await openSharedPipeline('work', options, null)
      await close()
      supervisor.work(kafka.settings.brokers, pipeline)
      waitsFor = `waiting for rows of pipeline ${pipeline}: nothing to classify`
      if (workers > partitions) {
        say(
          `${topicsOf(pipeline).rows} has ${partitions} partitions: ${workers - partitions} of ${workers} workers stay idle`,
        )
      }
      await Promise.race([supervisor.ready.then(() => stopped), stopped, supervisor.failed])
      drained = true
      return 0
    } finally {
      await supervisor.close(drained ? 'drain' : 'kill')
      waiting.close()
      limits.close()
    }
  },
}
