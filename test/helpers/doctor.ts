import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import type { CheckFinding, DoctorContext, Status } from '../../src/doctor/check.ts'
import { checksOf } from '../../src/doctor/doctor.ts'
import type { Machine } from '../../src/doctor/machine.ts'
import { runChecks } from '../../src/doctor/run-checks.ts'
import { python } from './python.ts'

const PLENTY = 2 ** 40

/** A machine on which nothing is wrong, apart from `faults`. */
export function machineWith(faults: Partial<Machine> = {}): Machine {
  return {
    nodeVersion: '24.0.0',
    env: process.env,
    cacheFolder: tmpdir(),
    temporaryFolder: tmpdir(),
    openFiles: 100_000,
    freeBytes: async () => PLENTY,
    checkCodec: () => {},
    requireRegistryClient: async () => {},
    wallClock: Date.now,
    ...faults,
  }
}

export function contextWith(more: Partial<DoctorContext> = {}): DoctorContext {
  const machine = machineWith()
  return {
    machine,
    cluster: null,
    keptFolder: null,
    pipeline: 'none',
    workers: 1,
    role: null,
    python,
    out: null,
    registry: null,
    ...more,
  }
}

/** What one check finds by itself, without those that it needs. */
export async function findingsOf(name: string, more: Partial<DoctorContext> = {}): Promise<readonly CheckFinding[]> {
  const context = contextWith(more)
  const check = checksOf(context).find(check => check.name === name)!
  const [found] = await allOf(runChecks([check], context))
  return found!.findings
}

export async function allOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

/** Fails unless one of the findings is this one. */
export function expectFinding(
  findings: readonly CheckFinding[],
  [status, text, cure]: [Status, RegExp, RegExp?],
): void {
  const found = findings.some(
    each => each.status === status && text.test(each.text) && (cure ?? /^$/).test(each.cure ?? ''),
  )
  assert.ok(found, `${status} ${text} ${cure ?? ''} is not among ${JSON.stringify(findings, null, 1)}`)
}
