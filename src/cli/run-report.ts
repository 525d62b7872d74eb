import { writeFile } from 'node:fs/promises'
import { nameOf } from '../core/reject-budget.ts'
import { RowmillError } from '../errors.ts'
import type { RunReport } from '../run.ts'
import { counted, describeSpeed, roundedSpeed } from '../support/counted.ts'
import type { Say } from '../support/say.ts'
import { version } from '../support/version.ts'
import { inOrder, type JsonShape, printJson } from './json-output.ts'
import type { RunValues } from './run-options.ts'

/** How many rejected rows are named one by one. */
const REJECTS_SAID = 5

/** What --report and --output json have of a run. */
export const RUN_REPORT = {
  line: 'the run',
  fields: {
    rowmill: 'the version of rowmill',
    node: 'the version of Node',
    rowsPerSecond: 'rows per second, with one decimal if below 10',
    job: 'the id of the job',
    pipeline: 'the pipeline it ran in',
    rows: 'rows of IN with a result. Null, like every field but job, if an interrupted command had already completed OUT and this one only cleaned up',
    rejects: 'rejected rows, which are not in OUT',
    rowsIn: 'rows in IN',
    rowsOut: 'rows in OUT; with --rows any they may be fewer or more than rows',
    duplicates: 'results that came twice and were dropped',
    rejected: 'the first 100 rejected rows, each as {"seq", "line", "reason", "detail", "values"}',
    partitions: 'partitions of the topic of rows',
    blockRows: 'rows in one message',
    batchRows: 'rows that one call of the classifier gets at most',
    rowsByWorker: 'how many rows each worker classified',
    classifierVersions: 'what ran the classifier: {"python", "pandas"} or {"node"}',
    probe:
      'what the probe took: {"rows", "calls", "seconds", "unstable": columns that differ even in the same batches, "failure": the code of the error that ended it without a verdict, or null}; null if there was no probe',
    seconds: 'seconds from the start to the last byte',
    startSeconds: 'seconds from the start to the first published row',
  },
} satisfies JsonShape

/** Says what a complete run came to, and writes its report. Throws OUTPUT_FAILED where the report cannot be written. */
export async function tellReport(report: RunReport, options: RunValues, say: Say): Promise<void> {
  const { rejects, rowsByWorker } = report
  say(summaryOf(report))
  if (rejects > 0)
    say(
      `  ${counted(rejects, 'row')} ${rejects === 1 ? 'was' : 'were'} rejected, within --max-rejects ${options.maxRejects}`,
      { level: 'warn' },
    )
  for (const row of report.rejected.slice(0, REJECTS_SAID))
    say(`    ${nameOf(row)}: ${row.reason} ${row.detail.split('\n', 1)[0]}`, { level: 'warn', code: row.reason })
  if (rejects > REJECTS_SAID)
    say(`    and more: ${options.report ?? '--report FILE.json'} has the first ${Math.min(rejects, 100)}`)
  for (const [worker, count] of Object.entries(rowsByWorker).sort())
    say(`  ${worker}: ${counted(count, 'row')}`, { worker })
  const whole = reportLine(report)
  if (options.output === 'json') printJson(RUN_REPORT, [whole])
  if (!options.report) return
  await writeFile(options.report, `${JSON.stringify(whole, null, 2)}\n`).catch(cause => {
    const message = `OUT is complete, but the report could not be written to ${options.report}: ${cause.message}`
    throw new RowmillError('OUTPUT_FAILED', message, { path: options.report }, { cause })
  })
}

/** One line: how many rows in how many seconds. */
export function summaryOf({ rows, rowsIn, rowsOut, seconds, startSeconds }: RunReport): string {
  const time = `${seconds.toFixed(1)} s (${startSeconds.toFixed(1)} s to start)`
  const many = rowsOut === rows ? counted(rows, 'row') : `${counted(rowsIn, 'row')} in and ${rowsOut} out,`
  return `${many} in ${time}, ${describeSpeed(speedOf(rows, seconds))}`
}

/** A run as --report and --output json show it. */
export function reportLine(report: RunReport): Record<keyof typeof RUN_REPORT.fields, unknown> {
  const { rows, seconds, rejected } = report
  const line = {
    rowmill: version(),
    node: process.versions.node,
    rowsPerSecond: roundedSpeed(speedOf(rows, seconds)),
    ...report,
    rejected: rejected.map(({ index: _, ...row }) => row), // index counts within a message, which no user sees
  }
  return inOrder(RUN_REPORT, line) as Record<keyof typeof RUN_REPORT.fields, unknown>
}

function speedOf(rows: number, seconds: number): number {
  return seconds > 0 ? rows / seconds : 0
}
