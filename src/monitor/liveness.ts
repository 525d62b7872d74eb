import { withOldestBatch } from '../reports/oldest-batch.ts'
import type { BatchInHand, CollectingReport, ReportedParts } from '../reports/report.ts'
import { counted } from '../support/counted.ts'
import type { Health } from './health.ts'

/** What a command does, as far as its liveness depends on it. */
export interface MeteredParts extends ReportedParts {
  /** Rows that were sent to the broker, acknowledged or not. Null: it publishes nothing. */
  readonly sent: number | null
  /** Rows with a result that the collector has read, in order or not. Null: it collects nothing. */
  readonly arrived: number | null
}

/** The parts of a command, each with rows that may wait in it. */
export type CommandPart = 'publishing' | 'working' | 'collecting'

export interface Moment {
  /** For how many seconds nothing has moved in each part: rows that are published are no progress of a classifier. */
  readonly stillSeconds: Readonly<Record<CommandPart, number>>
  readonly stalledAfterSeconds: number
  /** For how many seconds no broker has answered. Null: one answers, or nobody asked. */
  readonly outageSeconds: number | null
}

/**
 * Whether a restart of the command may help: rows wait in it, and nothing of it has moved for the stated time. Rows that wait
 * elsewhere, for a broker, a source or another command, are no reason: a restart does not bring those.
 */
export function livenessOf(parts: MeteredParts, moment: Moment): Health {
  const { stillSeconds, stalledAfterSeconds, outageSeconds } = moment
  if (outageSeconds !== null)
    return well(`no broker has answered for ${seconds(outageSeconds)}, which a restart does not cure`)
  const silent = parts.working?.workers.find(({ heardSeconds }) => heardSeconds >= stalledAfterSeconds)
  if (silent)
    return unwell(`worker ${silent.name} has said nothing for ${seconds(silent.heardSeconds)}. It may be frozen`)
  const waiting = whatWaits(parts)
  const still = (part: CommandPart) => `nothing has moved for ${seconds(stillSeconds[part])}`
  const stuck = waiting.find(({ part }) => stillSeconds[part] >= stalledAfterSeconds)
  if (stuck) return unwell(`${stuck.text}, and ${still(stuck.part)}`)
  const [first] = waiting
  if (first) return well(`${first.text}; ${still(first.part)}`)
  const all = `nothing has moved for ${seconds(Math.min(...Object.values(stillSeconds)))}`
  return well(`no rows wait here${blockedBy(parts.collecting)}; ${all}`)
}

function well(reason: string): Health {
  return { isGood: true, reason }
}

function unwell(reason: string): Health {
  return { isGood: false, reason }
}

/** The rows that wait in this command, by part. */
function whatWaits(parts: MeteredParts): { readonly part: CommandPart; readonly text: string }[] {
  const { working, publishing, collecting, sent, arrived } = parts
  const waiting: { part: CommandPart; text: string }[] = []
  const oldest = working && withOldestBatch(working)
  if (oldest) {
    const text = `worker ${oldest.name} has had ${describeBatch(oldest.batch)} in its classifier for ${seconds(oldest.batch.seconds)}`
    waiting.push({ part: 'working', text })
  }
  if (publishing && sent !== null && sent > publishing.published) {
    const text = `${sent - publishing.published} rows of job ${publishing.job} are sent and not acknowledged`
    waiting.push({ part: 'publishing', text })
  }
  if (collecting && arrived !== null && collecting.waiting === null) {
    const left = arrived - collecting.written - collecting.rejected
    const text = `${left} rows of job ${collecting.job} have arrived and are not written`
    if (left > 0) waiting.push({ part: 'collecting', text })
  }
  return waiting
}

function describeBatch({ job, row, rows, topic, partition }: BatchInHand): string {
  const from = row === null ? '' : rows === 1 ? ` (${row})` : ` (from row ${row} on)` // perhaps of several blocks
  const which = `${counted(rows, 'row')}${from}`
  return `${which} of job ${job} (${topic}[${partition}])`
}

function blockedBy(collecting: CollectingReport | null): string {
  const waiting = collecting?.waiting
  if (!waiting) return ''
  const row = waiting.row === null ? 'the next row' : `row ${waiting.row}`
  return `: the output has waited ${seconds(waiting.seconds)} for ${row} of partition ${waiting.partition}`
}

function seconds(count: number): string {
  return `${Math.floor(count)} s`
}
