/** Why a run does not write OUT: something is there that it must not replace. */
import { unfinishedFolder } from '../../connectors/file/output-path.ts'
import { RowmillError } from '../errors.ts'
import { withResumeCommand } from './resume-command.ts'

/** The run to resume did not write it. */
export function notOfRun(output: string): RowmillError {
  const message =
    `${output} exists, and the unfinished run did not write it: it was changed, or something else wrote it. ` +
    'Move it away, then run this command again'
  return new RowmillError('OUTPUT_EXISTS', message, { path: output })
}

/** An earlier run of OUT is not complete. */
export function unfinishedBefore(output: string): RowmillError {
  const message = `${unfinishedFolder(output)} holds an unfinished run. Resume it, or discard it with --restart`
  const error = new RowmillError('OUTPUT_UNUSABLE', message, { path: output })
  return withResumeCommand(error, ['rowmill', 'run', '--resume', output])
}

/** An earlier `rowmill collect` of OUT is not complete. */
export function collectedBefore(output: string): RowmillError {
  const message = `${unfinishedFolder(output)} holds an unfinished job of rowmill collect: resume that, or discard it with --restart`
  return new RowmillError('OUTPUT_UNUSABLE', message, { path: output })
}
