import { type RowmillError, toRowmillError } from '../errors.ts'
import { describeKafkaError, unanswered } from '../kafka/errors.ts'
import type { Role } from '../options.ts'
import type { ClusterAccess } from './cluster-access.ts'
import type { Machine } from './machine.ts'

/** `skipped`: something that it needs has failed, or nobody can tell. The text says which. */
export type Status = 'ok' | 'warning' | 'failure' | 'skipped'

/** One line of the report. */
export interface CheckFinding {
  readonly status: Status
  readonly text: string
  /** What to do. Null if nothing is wrong. */
  readonly cure: string | null
}

/** What is examined. */
export interface DoctorContext {
  readonly machine: Machine
  /** Null: without a cluster, only this machine is examined. */
  readonly cluster: ClusterAccess | null
  /** Where runs leave their local Kafka. Null: nowhere. */
  readonly keptFolder: string | null
  readonly pipeline: string
  /** How many workers will serve the pipeline. */
  readonly workers: number
  /** What this user does. Null: not named, so all roles are looked at. */
  readonly role: Role | null
  readonly python: string
  /** The file that a command will write. Null: not named. */
  readonly out: string | null
  /** The URL of the schema registry, which may hold user and password. Null: none. */
  readonly registry: string | null
}

export interface Check<C extends DoctorContext = DoctorContext> {
  readonly name: string
  /** The names of earlier checks without which this one tells nothing. It is skipped if one of them fails. */
  readonly needs: readonly string[]
  readonly limitMs: number
  /** At least one finding. A thrown error becomes a failure. `signal` aborts after `limitMs`. */
  run(context: C, signal: AbortSignal): Promise<CheckFinding | readonly CheckFinding[]>
}

export type ClusterCheck = Check<DoctorContext & { readonly cluster: ClusterAccess }>

export const ok = (text: string): CheckFinding => ({ status: 'ok', text, cure: null })
export const warning = (text: string, cure: string): CheckFinding => ({ status: 'warning', text, cure })
export const failure = (text: string, cure: string): CheckFinding => ({ status: 'failure', text, cure })
/** The message of an error begins with the fault. What follows is the cure. */
export function failureOf({ code, message }: Pick<RowmillError, 'code' | 'message'>): CheckFinding {
  const end = message.indexOf('. ')
  const [fault, cure] = end < 0 ? [message, ''] : [message.slice(0, end), `${message.slice(end + 2)}\n`]
  return failure(fault, `${cure}For more: rowmill explain ${code}`)
}

/** What ended a check: the connection, an answer of the broker, or a defect of rowmill. */
export function failureOfThrown(thrown: unknown): CheckFinding {
  const error = unanswered(thrown) ?? thrown
  if (!(error as Error).name?.startsWith('KafkaJS')) return failureOf(toRowmillError(error))
  const { type, text } = describeKafkaError(error)
  return failure(`the broker answers ${type}: ${text}`, 'look at the log of the broker')
}

export const skipped = (text: string): CheckFinding => ({ status: 'skipped', text, cure: null })
