import { writeFile } from 'node:fs/promises'
import { nameOf } from '../core/reject-budget.ts'
import { RowmillError } from '../errors.ts'
import type { RunReport } from '../run.ts'
import type { Say } from '../support/say.ts'
import { type JsonShape, printJson } from './json-output.ts'
import type { RunValues } from './run-options.ts'
import { version } from './version.ts'

/** How many rejected rows are named one by one. */
const REJECTS_SAID = 5

/** What --report and --output json have of a run. */
export const RUN_REPORT = {
  line: 'the run',
  fields: {
    rowmill: 'the version of rowmill',
    node: 'the version of Node',
    rowsPerSecond: 'rows by seconds',
    job: 'the id of the job',
    pipeline: 'the pipeline it ran in',
    rows: 'rows in OUT. Null, like every field but job, if an interrupted command had already completed OUT and this one only cleaned up',
    rejects: 'rejected rows, which are not in OUT',
    duplicates: 'results that came twice and were dropped',
    rejected: 'the first 100 rejected rows, with reason, detail and values',
    partitions: 'partitions of the topic of rows',
    blockRows: 'rows in one message',
    batchRows: 'rows that one call of the classifier gets at most',
    rowsByWorker: 'how many rows each worker classified',
    classifierVersions: 'what ran the classifier: {"python", "pandas"} or {"node"}',
    seconds: 'seconds from the start to the last byte',
    startSeconds: 'seconds from the start to the first published row',
  },
} satisfies JsonShape

/** Says what a complete run came to, and writes its report. Throws OUTPUT_FAILED where the report cannot be written. */
export async function tellReport(report: RunReport, options: RunValues, say: Say): Promise<void> {
  const { rows, rejects, seconds, startSeconds, rowsByWorker } = report
  const rowsPerSecond = seconds > 0 ? Math.round(rows / seconds) : 0
  say(`${rows} rows in ${seconds.toFixed(1)} s (${startSeconds.toFixed(1)} s to start), ${rowsPerSecond} rows/s`)
  if (rejects > 0) say(`  ${rejects} rows were rejected, within --max-rejects ${options.maxRejects}`)
  for (const row of report.rejected.slice(0, REJECTS_SAID))
    say(`    ${nameOf(row)}: ${row.reason} ${row.detail.split('\n', 1)[0]}`)
  if (rejects > REJECTS_SAID)
    say(`    and more: ${options.report ?? '--report FILE.json'} has the first ${Math.min(rejects, 100)}`)
  for (const [worker, count] of Object.entries(rowsByWorker).sort()) say(`  ${worker}: ${count} rows`)
  const whole = { rowmill: version(), node: process.versions.node, rowsPerSecond, ...report }
  if (options.output === 'json') printJson(RUN_REPORT, [whole])
  if (!options.report) return
  await writeFile(options.report, `${JSON.stringify(whole, null, 2)}\n`).catch(cause => {
    const message = `OUT is complete, but the report could not be written to ${options.report}: ${cause.message}`
    throw new RowmillError('OUTPUT_FAILED', message, { path: options.report }, { cause })
  })
}
