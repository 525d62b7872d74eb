import type {
  BatchInHand,
  CollectingReport,
  PublishingReport,
  Report,
  ReportedFailure,
  ReportedPartition,
  ReportedUse,
  WorkerReport,
  WorkerTime,
  WorkingReport,
} from './report.ts'

/** A report as JSON on one line, in UTF-8. */
export function encodeReport(report: Report): Buffer {
  return Buffer.from(JSON.stringify(report))
}

/**
 * The report in the value of a message. Null: this version cannot read it. Whoever may write to the topic may
 * write anything, so a report counts only if each field has its type. Fields that this version does not know may have any.
 */
export function decodeReport(value: Buffer | null): Report | null {
  if (value === null) return null
  try {
    const report: unknown = JSON.parse(value.toString())
    return isReport(report) ? report : null
  } catch {
    return null
  }
}

type Test = (value: unknown) => boolean
/** A check for each field of T. */
type Fields<T> = { readonly [K in keyof Required<T>]: Test }

const isText: Test = value => typeof value === 'string'
/** Names fill lines of a terminal and labels of metrics. A host name has at most 255 characters, a topic 249. */
const isName: Test = value => typeof value === 'string' && value.length <= 512
const isNumber: Test = value => typeof value === 'number' && Number.isFinite(value)
/** One process: 0, 1 and negative numbers mean many of them to `kill`. */
const isPid: Test = value => Number.isSafeInteger(value) && (value as number) > 1
const isSwitch: Test = value => typeof value === 'boolean'
const one =
  (...values: readonly unknown[]): Test =>
  value =>
    values.includes(value)
const orNull =
  (check: Test): Test =>
  value =>
    value === null || check(value)
const ifAny =
  (check: Test): Test =>
  value =>
    value === undefined || check(value)
const listOf =
  (check: Test): Test =>
  value =>
    Array.isArray(value) && value.every(check)

const countsByName: Test = value =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(isNumber)

function having<T>(fields: Fields<T>): (value: unknown) => value is T {
  const checks = Object.entries(fields) as [string, Test][]
  return (value): value is T =>
    typeof value === 'object' &&
    value !== null &&
    checks.every(([name, check]) =>
      check(Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined),
    )
}

const partition: Fields<ReportedPartition> = { topic: isName, partition: isNumber }
const isBatch = having<BatchInHand>({
  ...partition,
  job: isName,
  row: orNull(isNumber),
  rows: isNumber,
  seconds: isNumber,
})
const isWorker = having<WorkerReport>({
  name: isName,
  pid: ifAny(isPid),
  state: one('starting', 'idle', 'busy'),
  heardSeconds: isNumber,
  partitions: listOf(having(partition)),
  batch: orNull(isBatch),
  rows: isNumber,
  rejected: isNumber,
  restarts: isNumber,
  classifierRestarts: ifAny(countsByName),
  secondsPerRow: ifAny(orNull(isNumber)),
  time: ifAny(having<WorkerTime>({ start: isNumber, classify: isNumber, send: isNumber, wait: isNumber })),
})
const isReport = having<Report>({
  version: one(1),
  process: isName,
  command: one('run', 'publish', 'work', 'collect'),
  host: isName,
  pid: isNumber,
  rowmill: isName,
  startedAt: isNumber,
  everySeconds: isNumber,
  isLast: isSwitch,
  uses: ifAny(having<ReportedUse>({ classifier: ifAny(isText), output: ifAny(isText) })),
  failure: ifAny(having<ReportedFailure>({ code: isName, message: isText })),
  publishing: orNull(having<PublishingReport>({ job: isName, published: isNumber, total: orNull(isNumber) })),
  working: orNull(
    having<WorkingReport>({
      restarts: isNumber,
      batchTimeout: ifAny(isNumber),
      rebalances: isNumber,
      workers: listOf(isWorker),
    }),
  ),
  collecting: orNull(
    having<CollectingReport>({
      job: isName,
      written: isNumber,
      rejected: isNumber,
      duplicates: isNumber,
      waiting: orNull(having({ row: orNull(isNumber), partition: isNumber, seconds: isNumber })),
    }),
  ),
})
