import { isRemoved } from '../core/removed-job.ts'
import { RowmillError } from '../errors.ts'
import { type Job, optionOf } from '../model.ts'
import type { JobLog } from '../pipeline/job-log.ts'
import type { JobHeader } from '../pipeline/same-job.ts'

/** The options that say how rows are read and cells are written. */
const OF_FORMAT: readonly string[] = [
  ...['recipe', 'readCall', 'writeCall', 'readCsv', 'toCsv', 'cast', 'rows'],
  'quotesCarriageReturn',
]

/** What this code reads of a recipe, which belongs to Python. */
interface RecipeShape {
  readonly index: { readonly cells: readonly number[] }
  readonly rules: readonly { readonly runs?: readonly unknown[] }[]
}

/**
 * The columns, the index and the format of an earlier job, for events whose results have the same bytes. Throws USAGE if
 * there is no such job, or if its rows cannot be read without their numbers and these events have none.
 */
export async function headerLike(
  jobs: JobLog,
  id: string,
  { pipeline, sequenced }: { pipeline: string; sequenced: boolean },
): Promise<JobHeader> {
  const job = await jobs.latest(id)
  if (!job || isRemoved(job))
    throw refused(id, `there is no such job in pipeline ${pipeline}. rowmill jobs list shows them`)
  if (!sequenced && needsNumbers(job)) {
    const why = 'its rows are numbered, and these events have no numbers. Open the job with openJob of the SDK'
    throw refused(id, `${why}, or publish it with an index_col or with to_csv(OUT, index=False)`)
  }
  const { columns, indexKind, options } = job
  return { columns, indexKind, options: options.filter(({ name }) => OF_FORMAT.includes(name)) }
}

/** Whether the number of a row shows in its result. */
function needsNumbers({ indexKind, options }: Job): boolean {
  const recipe = optionOf(options, 'recipe')
  const isWritten = JSON.parse(optionOf(options, 'toCsv') ?? '{}')['index'] !== false
  if (recipe === undefined) return indexKind === null && isWritten
  const { index, rules } = JSON.parse(recipe) as RecipeShape
  return (index.cells.length === 0 && isWritten) || rules.some(({ runs = [] }) => runs.length > 1)
}

function refused(id: string, why: string): RowmillError {
  return new RowmillError('USAGE', `like job ${JSON.stringify(id)}: ${why}`, { job: id })
}
