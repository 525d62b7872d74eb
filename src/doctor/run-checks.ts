import { realTime, type Time } from '../support/clock.ts'
import { type Check, type CheckFinding, type DoctorContext, failure, failureOfThrown, skipped } from './check.ts'

/** What one check found. */
export interface Examined {
  readonly check: string
  readonly findings: readonly CheckFinding[]
}

/**
 * Runs all checks at the same time, except that a check waits for those that it needs. Yields in the order of `checks`, each
 * as soon as it and all before it have ended.
 */
export async function* runChecks<C extends DoctorContext>(
  checks: readonly Check<C>[],
  context: C,
  time: Time = realTime,
): AsyncGenerator<Examined> {
  const running = new Map<string, Promise<readonly CheckFinding[]>>()
  for (const check of checks) {
    const needs = check.needs.filter(name => running.has(name)).map(name => [name, running.get(name)!] as const)
    running.set(
      check.name,
      runAfter(needs, () => runInTime(check, context, time)),
    )
  }
  for (const [check, findings] of running) yield { check, findings: await findings }
}

async function runAfter(
  needs: readonly (readonly [name: string, findings: Promise<readonly CheckFinding[]>])[],
  run: () => Promise<readonly CheckFinding[]>,
): Promise<readonly CheckFinding[]> {
  for (const [name, findings] of needs) {
    if (isUsable(await findings)) continue
    return [skipped(`${name} must be ok first`)]
  }
  return run()
}

/** One of several addresses, brokers or topics is enough to ask more. */
function isUsable(findings: readonly CheckFinding[]): boolean {
  return findings.some(({ status }) => status === 'ok' || status === 'warning')
}

async function runInTime<C extends DoctorContext>(
  check: Check<C>,
  context: C,
  time: Time,
): Promise<readonly CheckFinding[]> {
  const limit = new AbortController()
  const late = Promise.withResolvers<readonly CheckFinding[]>()
  const stop = time.after(check.limitMs, () => {
    late.resolve([
      failure(
        `no answer within ${check.limitMs / 1000} s`,
        'look for a firewall, an overloaded machine, or a hung disk',
      ),
    ])
    limit.abort()
  })
  const run = async () => [await check.run(context, limit.signal)].flat()
  try {
    return await Promise.race([late.promise, run().catch(error => [failureOfThrown(error)])])
  } finally {
    stop()
  }
}
