import { availableParallelism } from 'node:os'
import { CsvSource } from '../../../connectors/csv-source.ts'
import { openClassifier } from '../../classifier/open.ts'
import { batchDependent } from '../../core/batch-dependent.ts'
import { nameOf } from '../../core/reject-budget.ts'
import { RowmillError } from '../../errors.ts'
import type { OptionValues } from '../../options.ts'
import { type Checked, check, type Timing, type TriedReject } from '../../probe/check.ts'
import { FreshClassifier } from '../../probe/memory.ts'
import { unlessAborted } from '../../support/abort.ts'
import { counted } from '../../support/counted.ts'
import { printable } from '../../support/printable.ts'
import { defineCommand } from '../command.ts'
import { duration } from '../duration.ts'
import { jobOptions } from '../job-options.ts'
import { printJson } from '../json-output.ts'
import { type Session, withinLimits } from '../limits.ts'
import { LOG_OPTIONS } from '../log-options.ts'
import { type Pasted, withPasted } from '../pasted-calls.ts'
import { print } from '../standard-output.ts'

const JSON_SHAPE = {
  line: 'the check',
  fields: {
    rows: 'rows of IN',
    probed: 'rows that were tried, in several cuts',
    calls: 'calls of the classifier',
    rowByRow: 'whether every row came out alike in every cut',
    fault: 'the first row that did not: {"message", "seq", "line", "column"}; null if there is none',
    rejects: 'tried rows that have no result: run would reject them',
    rejected: 'the first 100 of them, each as {"seq", "line", "reason", "detail"}',
    unstable: 'columns that differ even between two calls with the same rows; they were not judged',
    startSeconds: 'seconds until the classifier was imported; null if there is a fault, like all that follow',
    openSeconds: 'seconds until the input was opened; with --read pandas has read it by then',
    busy: 'seconds that a second of CPU takes now; 1 if nothing else runs',
    callSeconds: 'seconds that a call takes, apart from its rows',
    rowSeconds: 'seconds that each row of a call takes',
    oneProcessSeconds: 'seconds that all rows would take in one process, as in the original job',
    seconds: 'seconds that all rows would take in rowmill run with 1, 2, ... workers',
    pays: 'whether rowmill run would be faster than one process',
  },
}

/** There is no estimate for a job that would fail. */
const NO_TIMES = {
  startSeconds: null,
  openSeconds: null,
  busy: null,
  callSeconds: null,
  rowSeconds: null,
  oneProcessSeconds: null,
  seconds: null,
  pays: null,
}

const OPTIONS = [
  'classifier',
  'probe',
  'workers',
  'batchRows',
  'batchTimeout',
  'classifierMemory',
  'python',
  'delimiter',
  'header',
  'indexKind',
  'cast',
  'outputRows',
  'read',
  'write',
  'lowMemory',
  'readCsv',
  'toCsv',
  'timeout',
  ...LOG_OPTIONS,
  'output',
] as const
/** From here on the text says that the machine is busy. */
const BUSY = 1.5
/** How many rejected rows the JSON has. */
const MOST_REJECTED = 100
type CheckValues = OptionValues<(typeof OPTIONS)[number]>

export const checkCommand = defineCommand({
  name: 'check',
  doc: 'try a classifier on some rows of IN: whether it looks at one row at a time, how long the job will take, and whether it pays',
  operands: [
    {
      name: 'IN',
      doc: 'a CSV file, also .gz, .bz2, .zip or .zst (with --read also .xz and .tar), or - for standard input',
    },
  ],
  example: 'rowmill check rows.csv --classifier black_box.py:classify_df',
  options: OPTIONS,
  docs: {
    probe: 'rows at most to try: the first ones, and some from the middle and the end',
    workers: 'up to how many workers to estimate',
    batchRows: 'the most rows in one call of the classifier, as for run',
  },
  json: JSON_SHAPE,
  exits: [5],
  async act([input], options) {
    if (options.classifier === null) throw new RowmillError('USAGE', 'which classifier? Give --classifier FILE[:NAME]')
    if (options.probe === 0) throw new RowmillError('USAGE', '--probe 0: check needs rows to try. Give 1 or more')
    return await withinLimits(options, 'before it was checked', session =>
      withPasted({ input: input!, options, session, forJob: false }, pasted =>
        checkInput(pasted, session, { input: input!, options }),
      ),
    )
  },
})

async function checkInput(
  pasted: Pasted | null,
  { say, signal }: Session,
  { input, options }: { input: string; options: CheckValues },
): Promise<number> {
  const { classifier: target, python, classifierMemory: memoryMB, batchRows, workers } = options
  const { readCsv, toCsv, delimiter, indexKind } = options
  const source = pasted?.source ?? new CsvSource({ path: input, readCsv, toCsv, delimiter, indexKind, say })
  const opening = { target: target!, python, by: 'check', memoryMB, onOutput: () => {} }
  const classifier = new FreshClassifier(() => openClassifier(opening))
  try {
    const checking = check({
      source,
      classifier,
      options: jobOptions({ ...options, maxRejects: '0' }, pasted),
      most: options.probe,
      batchRows,
      workers,
      cores: availableParallelism(),
      timeoutMs: options.batchTimeout * 1000,
      say,
    })
    const checked = await unlessAborted(checking, signal)
    if (options.output === 'json') tellJson(checked)
    else print(printable(textOf(input, target!, checked)))
    if (checked.fault !== null) {
      const { message, seq, line, column } = checked.fault
      throw batchDependent(message, { seq, line, column })
    }
    const [first] = checked.rejected
    if (first) throw rejectedRows(checked, first)
    return 0
  } finally {
    await Promise.all([source.close(), classifier.close()])
  }
}

function tellJson({ fault, rejected, timing, ...others }: Checked): void {
  const rejects = { rejects: rejected.length, rejected: rejected.slice(0, MOST_REJECTED) }
  const times = timing ? { ...timing, pays: bestOf(timing).pays } : NO_TIMES
  printJson(JSON_SHAPE, [{ ...others, fault, rowByRow: fault === null, ...rejects, ...times }])
}

function rejectedRows({ rejected, probed }: Checked, first: TriedReject): RowmillError {
  const { seq, line, reason, detail } = first
  const many = `${rejected.length} of ${counted(probed, 'row')} that were tried would be rejected`
  const message = `${many}. The first is ${nameOf(first)}: ${reason} ${detail}`
  return new RowmillError('REJECTS_OVER_BUDGET', message, { seq, line })
}

function textOf(input: string, target: string, checked: Checked): string {
  const { rows, probed, calls, fault, unstable, timing } = checked
  const verdict =
    fault === null ? 'each came out alike in every batch' : `they did not come out alike: ${fault.message}`
  return [
    `${input}: ${counted(rows, 'row')}. ${counted(probed, 'row')} tried in ${counted(calls, 'call')}: ${verdict}`,
    ...unstable.map(column => `column ${column} differs even between two calls with the same rows: it was not judged`),
    ...(timing ? timesOf(target, timing) : ['rowmill run would end with this: no time is estimated']),
    '',
  ].join('\n')
}

function timesOf(target: string, timing: Timing): string[] {
  const { startSeconds, callSeconds, rowSeconds, busy, oneProcessSeconds, seconds } = timing
  const ms = (value: number) => `${(value * 1000).toPrecision(3)} ms`
  const { pays, workers } = bestOf(timing)
  return [
    `${target} starts in ${duration(startSeconds)}. A call takes ${ms(callSeconds)}, and ${ms(rowSeconds)} for each row`,
    `one process, as in the original job: about ${duration(oneProcessSeconds)}`,
    ...seconds.map((value, i) => `rowmill run --workers ${i + 1}: about ${duration(value)}`),
    pays
      ? `rowmill pays: it is fastest with ${counted(workers, 'worker')}`
      : 'rowmill does not pay: one process is as fast',
    ...(busy < BUSY
      ? []
      : [`other programs run: a second of CPU takes ${busy.toFixed(1)} s now, and the times are for that`]),
  ]
}

/** The number of workers that is fastest, and whether that is faster than one process. */
function bestOf({ seconds, oneProcessSeconds }: Timing): { pays: boolean; workers: number } {
  const best = Math.min(...seconds)
  return { pays: best < oneProcessSeconds, workers: seconds.indexOf(best) + 1 }
}
