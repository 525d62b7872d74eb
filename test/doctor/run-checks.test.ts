import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Check, failure, ok, warning } from '../../src/doctor/check.ts'
import { runChecks } from '../../src/doctor/run-checks.ts'
import { RowmillError } from '../../src/errors.ts'
import { allOf, contextWith } from '../helpers/doctor.ts'
import { ManualTime } from '../helpers/manual-time.ts'

const check = (name: string, run: Check['run'], needs: readonly string[] = []): Check => ({
  name,
  needs,
  limitMs: 5000,
  run,
})

async function statusesOf(checks: readonly Check[]): Promise<string[]> {
  const found = await allOf(runChecks(checks, contextWith()))
  return found.map(({ check, findings }) => `${check} ${findings.map(({ status }) => status)}`)
}

test('a check that needs a failed one is skipped, and says which', async () => {
  const never = async () => assert.fail('it must not run')
  const checks = [
    check('first', async () => failure('bad', 'mend it')),
    check('second', never, ['first']),
    check('third', never, ['second']),
    check('free', async () => ok('good')),
  ]
  assert.deepEqual(await statusesOf(checks), ['first failure', 'second skipped', 'third skipped', 'free ok'])
  const [, second] = await allOf(runChecks(checks, contextWith()))
  assert.match(second!.findings[0]!.text, /first must be ok first/)
})

test('one good address of several is enough to continue, and so is a warning', async () => {
  const checks = [
    check('addresses', async () => [failure('bad', 'mend it'), ok('good')]),
    check('login', async () => warning('odd', 'look'), ['addresses']),
    check('topics', async () => ok('good'), ['login']),
  ]
  assert.deepEqual(await statusesOf(checks), ['addresses failure,ok', 'login warning', 'topics ok'])
})

test('a check that throws is a failure with the code that explain knows', async () => {
  const throws = check('login', async () => {
    throw new RowmillError('AUTHENTICATION_FAILED', 'wrong password')
  })
  const [found] = await allOf(runChecks([throws], contextWith()))
  const [{ status, text, cure }] = found!.findings as never as [ReturnType<typeof failure>]
  assert.deepEqual([status, text], ['failure', 'wrong password'])
  assert.match(cure!, /rowmill explain AUTHENTICATION_FAILED/)
})

test('a check that hangs is a failure after its limit, and its signal aborts; the others do not wait', async () => {
  const time = new ManualTime()
  const aborted = Promise.withResolvers<string>()
  const hangs = check('hangs', (_, signal) => {
    signal.addEventListener('abort', () => aborted.resolve('aborted'))
    return new Promise(() => {})
  })
  const found = allOf(runChecks([hangs, check('free', async () => ok('good'))], contextWith(), time))
  await time.pass(5000)
  assert.deepEqual(
    (await found).map(({ findings }) => findings[0]!.text),
    ['no answer within 5 s', 'good'],
  )
  assert.equal(await aborted.promise, 'aborted')
})
