import type { Time } from '../support/clock.ts'
import type { Check, DoctorContext } from './check.ts'
import { DISK_CHECKS, OUT_CHECK } from './disk-checks.ts'
import { keptCheck } from './kept-check.ts'
import { MACHINE_CHECKS } from './machine-checks.ts'
import { LISTENER_CHECKS, NETWORK_CHECKS } from './network-checks.ts'
import { REGISTRY_CHECKS } from './registry-check.ts'
import { rightsCheck } from './rights-check.ts'
import { type Examined, runChecks } from './run-checks.ts'
import { SESSION_CHECKS } from './session-checks.ts'
import { TOPIC_CHECKS } from './topic-checks.ts'

/**
 * Examines this machine and, if there is one, the cluster. It changes nothing. Each check has a time limit of its own, so
 * the whole ends. Yields what each check found, in the order of the report.
 */
export async function* examine(context: DoctorContext, time?: Time): AsyncGenerator<Examined> {
  try {
    yield* runChecks(checksOf(context), context, time)
  } finally {
    context.cluster?.close()
  }
}

/** 3 if the cluster or the registry has a failure, otherwise 1 if this machine has one, otherwise 0. */
export function exitCodeOf(all: readonly Examined[]): 0 | 1 | 3 {
  const failed = all.filter(({ findings }) => findings.some(({ status }) => status === 'failure'))
  const ofMachine = new Set([...MACHINE_CHECKS, ...DISK_CHECKS, keptCheck, OUT_CHECK].map(({ name }) => name))
  if (failed.some(({ check }) => !ofMachine.has(check))) return 3
  return failed.length > 0 ? 1 : 0
}

/** The checks that make sense here, in the order of the report. */
export function checksOf({ cluster, out, registry }: DoctorContext): Check[] {
  const ofCluster = [...NETWORK_CHECKS, ...SESSION_CHECKS, ...LISTENER_CHECKS, rightsCheck, ...TOPIC_CHECKS]
  return [
    ...MACHINE_CHECKS,
    ...DISK_CHECKS,
    keptCheck,
    ...(out === null ? [] : [OUT_CHECK]),
    ...(cluster === null ? [] : (ofCluster as Check[])),
    ...(registry === null ? [] : REGISTRY_CHECKS),
  ]
}
