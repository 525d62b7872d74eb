import { OutputFormat } from '../../../connectors/csv/output-format.ts'
import type { SinkHeader } from '../../connector.ts'
import { printable } from '../../support/printable.ts'
import { type Verified, verify } from '../../verify/verify.ts'
import { defineCommand } from '../command.ts'
import { printJson } from '../json-output.ts'
import { onFoundPipeline, requireJob, SHARED_OPTIONS } from '../shared-pipeline.ts'
import { print } from '../standard-output.ts'

const JSON_SHAPE = {
  line: 'the job',
  fields: {
    same: 'whether everything agrees',
    job: 'its id',
    rowsIn: 'rows in the topic of rows',
    rowsOut: 'output rows of the rows with a result',
    rejects: 'rejected rows',
    duplicates: 'copies that count for nothing, as {"rows": N, "results": N}',
    gaps: 'missing rows, as {"rows": N, "results": N}',
    malformed: 'unreadable messages, as {"rows": N, "results": N}',
    rowsByWorker: 'how many rows each worker classified',
    classifiers: 'the fingerprints of the classifiers',
    digests: 'SHA-256 as {"expected", "out", "against"}; null where unknown',
    findings: 'what does not agree, as a list of {"code", "message"}',
  },
}

export const verifyCommand = defineCommand({
  name: 'verify',
  doc: 'count the rows of one job in the topics, and compare OUT with them byte by byte',
  operands: [{ name: 'OUT', doc: 'the file that rowmill collect wrote' }],
  example: 'rowmill verify classified.csv --job "$JOB" --against serial.csv --brokers 127.0.0.1:9092',
  options: ['id', 'against', 'python', 'output', ...SHARED_OPTIONS],
  json: JSON_SHAPE,
  exits: [6],
  async act([out], options) {
    const { against, python } = options
    const job = requireJob(options.id)
    const format = (header: SinkHeader) => new OutputFormat(header)
    return await onFoundPipeline('verify', options, {
      when: 'before the job was verified',
      async act(context) {
        const verified = await verify(context, { job, out: out!, against, python, format })
        if (options.output === 'json') printJson(JSON_SHAPE, [verifiedLine(verified)])
        else print(printable(describeVerified(verified)))
        const [first, ...others] = verified.findings
        for (const { message, code } of others) context.say(`also: ${message} [${code}]`, { level: 'warn', code })
        if (first) throw first
        return 0
      },
    })
  },
})

function verifiedLine({
  findings,
  rowsByWorker,
  ...verified
}: Verified): Record<keyof typeof JSON_SHAPE.fields, unknown> {
  return {
    same: findings.length === 0,
    ...verified,
    rowsByWorker: Object.fromEntries(rowsByWorker),
    findings: findings.map(({ code, message }) => ({ code, message })),
  }
}

/**
 * One line for each count, with all values in one column. The last line is `same`, or `different:` and what differs. The
 * bytes of OUT may be right although something else is not.
 */
function describeVerified(verified: Verified): string {
  const { duplicates, gaps, malformed, digests, rowsByWorker, classifiers } = verified
  const workers = [...rowsByWorker].sort().map(([worker, rows]) => `${worker}: ${rows}`)
  const lines: [string, string | number][] = [
    ['job', verified.job],
    ['rows in', verified.rowsIn],
    ['rows out', verified.rowsOut],
    ['rejects', verified.rejects],
    ['duplicates in rows', duplicates.rows],
    ['duplicates in results', duplicates.results],
    ['gaps in rows', gaps.rows],
    ['gaps in results', gaps.results],
    ['malformed in rows', malformed.rows],
    ['malformed in results', malformed.results],
    ['workers', workers.join(', ') || 'none'],
    ['classifier', classifiers.join(', ') || 'none'],
    ['sha256 expected', digests.expected ?? 'unknown'],
    ['sha256 OUT', digests.out],
  ]
  if (digests.against !== null) lines.push(['sha256 against', digests.against])
  const width = Math.max(...lines.map(([name]) => name.length)) + 2
  const text = lines.map(([name, value]) => `${name.padEnd(width)}${value}\n`).join('')
  return `${text}${verdict(verified)}\n`
}

function verdict({ findings, digests }: Verified): string {
  if (findings.length === 0) return 'same'
  const found = new Set(findings.map(({ facts }) => String(facts['what'])))
  const bytes = digests.expected === digests.out ? '; OUT has the expected bytes' : ''
  return `different: ${[...found].join('; ')}${bytes}`
}
