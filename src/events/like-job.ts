import { inflateSync } from 'node:zlib'
import { jsonOptionOf } from '../core/job.ts'
import { isRemoved } from '../core/removed-job.ts'
import { RowmillError } from '../errors.ts'
import type { Job, JobOption } from '../model.ts'
import type { JobLog } from '../pipeline/job-log.ts'
import type { JobHeader } from '../pipeline/same-job.ts'
import type { Say } from '../support/say.ts'

/** The options that say how rows are read and cells are written. */
const OF_FORMAT: readonly string[] = [
  ...['recipe', 'readCall', 'writeCall', 'readCsv', 'toCsv', 'cast', 'rows'],
  'quotesCarriageReturn',
]

/** What the large part of a recipe may take unpacked (host_labels.py). */
const MOST_BYTES = 64 * 1024 * 1024

/** What this code reads of a recipe, which belongs to Python. */
interface RecipeShape {
  readonly index: { readonly cells: readonly number[] }
  readonly rules: readonly {
    readonly kind: string
    readonly format?: string | null
    readonly runs?: readonly unknown[]
  }[]
}

interface LikeOptions {
  readonly pipeline: string
  /** Whether the events have numbers. */
  readonly sequenced: boolean
  readonly say: Say
}

/**
 * The columns, the index and the format of an earlier job, for events whose results have the same bytes. Throws USAGE if
 * there is no such job, or if its rows cannot be read without their numbers and these events have none.
 */
export async function headerLike(
  jobs: JobLog,
  id: string,
  { pipeline, sequenced, say }: LikeOptions,
): Promise<JobHeader> {
  const job = await jobs.latest(id)
  if (!job || isRemoved(job))
    throw refused(id, `there is no such job in pipeline ${pipeline}. rowmill jobs list shows them`)
  if (!sequenced && needsNumbers(job)) {
    const why = 'its rows are numbered, and these events have no numbers. Open the job with openJob of the SDK'
    throw refused(id, `${why}, or publish it with an index_col or with to_csv(OUT, index=False)`)
  }
  const { columns, indexKind, options } = job
  if (hasTimes(job))
    say(
      `the dates of job ${id} have times, and its to_csv has no date_format: an event at midnight is written without its time. ` +
        "A job that was published with to_csv(..., date_format='%Y-%m-%d %H:%M:%S') has one form for all",
      { level: 'warn', job: id },
    )
  const format = options.filter(({ name }) => OF_FORMAT.includes(name))
  return { columns, indexKind, options: [...format, { name: 'like', value: id }] }
}

/** Whether the number of a row shows in its result. */
function needsNumbers({ indexKind, options }: Job): boolean {
  const isWritten = jsonOptionOf({ options }, 'toCsv', '{}').index !== false
  const recipe = recipeOf(options)
  if (recipe === null) return indexKind === null && isWritten
  const { index, rules } = recipe
  return (index.cells.length === 0 && isWritten) || rules.some(({ runs = [] }) => runs.length > 1)
}

/** Whether pandas leaves out the time of a date that is at midnight, unless another date of the same batch has a time. */
function hasTimes({ options }: Job): boolean {
  const rules = recipeOf(options)?.rules ?? []
  // A format without a percent sign, or none, takes dates with and without times.
  const isTimed = rules.some(
    ({ kind, format }) => kind === 'date' && (!format?.includes('%') || /%[HIcXT]/.test(format)),
  )
  return isTimed && jsonOptionOf({ options }, 'toCsv', '{}').date_format === undefined
}

function recipeOf(options: readonly JobOption[]): RecipeShape | null {
  const recipe = jsonOptionOf({ options }, 'recipe', 'null')
  if (!recipe?.packed) return recipe
  const large = inflateSync(Buffer.from(recipe.packed, 'base64'), { maxOutputLength: MOST_BYTES })
  return { ...recipe, ...JSON.parse(large.toString()) }
}

function refused(id: string, why: string): RowmillError {
  return new RowmillError('USAGE', `like job ${JSON.stringify(id)}: ${why}`, { job: id })
}
