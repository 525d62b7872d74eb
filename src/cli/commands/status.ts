import { checkName } from '../../core/names.ts'
import { COMPLETE_WITH_REJECTS, RowmillError } from '../../errors.ts'
import { defineCommand } from '../command.ts'
import { findPipeline } from '../found-pipeline.ts'
import { withinLimits } from '../limits.ts'
import { logAbout } from '../log.ts'
import { SHARED_OPTIONS } from '../shared-pipeline.ts'
import { FAILED, NOT_COMPLETE, STALLED } from '../status/exit-code.ts'
import { STATUS } from '../status/status-shape.ts'
import { WatchedStatus } from '../status/watched-status.ts'

export const statusCommand = defineCommand({
  name: 'status',
  doc: 'show how far a job is, when it is done, what it waits for, and the command that helps; the exit code says whether it is complete',
  operands: [
    {
      name: 'JOB',
      doc: 'the id of a job, or the OUT of a rowmill run or collect that is not complete. Without it: the job that is open, or all jobs',
      optional: true,
    },
  ],
  example: 'rowmill status orders --follow --brokers 127.0.0.1:9092',
  options: ['id', 'followStatus', 'showAll', 'stalledAfter', 'output', ...SHARED_OPTIONS],
  json: STATUS,
  exits: [COMPLETE_WITH_REJECTS, NOT_COMPLETE, STALLED, FAILED],
  act([operand], options) {
    const word = operand ?? options.id
    if (operand !== undefined && options.id !== null && options.id !== operand)
      throw new RowmillError('USAGE', `two jobs, ${operand} and --job ${options.id}: give one`)
    const when = options.followStatus ? 'while watching; the job continues' : 'before the pipeline was read'
    return withinLimits(options, when, async session => {
      const found = await findPipeline('status', options, word)
      if (found.run === null && found.job !== null) checkName('JOB', found.job)
      logAbout({ pipeline: found.pipeline, ...(found.job === null ? {} : { job: found.job }) })
      return await new WatchedStatus(session, options, found).show()
    })
  },
})
