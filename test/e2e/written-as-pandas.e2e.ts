/** Jobs that differ in how they write: the bytes of the original job, in batches of 5 rows. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { rowmill, testFolder } from '../helpers/cli.ts'

const CASES = join(import.meta.dirname, '../fixtures/cases')

interface Written {
  readonly name: string
  readonly out?: string
  readonly expected?: string
  readonly flags?: readonly string[]
  readonly says?: RegExp
}

const ALL: readonly Written[] = [
  { name: 'to-csv-quote-nonnumeric', flags: ['--header', '--to-csv', '{"quoting": 2}'] },
  { name: 'to-csv-utf-8-sig', flags: ['--to-csv', '{"encoding": "utf-8-sig"}'] },
  { name: 'to-numeric-missing', says: /written again from the results/ },
  { name: 'to-datetime-column-midnight', says: /d with the times/ },
  { name: 'out-named-gz', out: 'expected.gz', expected: 'expected.gz' },
]

for (const { name, out = 'out.csv', expected = 'expected.csv', flags = [], says = /^/ } of ALL) {
  test(`${name}: run writes the bytes of the original job, and verify finds them`, async t => {
    const { pipeline } = await testPipeline(t)
    const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
    const [folder, place] = [testFolder(t), join(CASES, name)]
    const path = join(folder, out)
    const given = ['--classifier', join(place, 'clf.py'), '--batch-rows', '5', '--workers', '1', '--job', 'j', ...flags]
    const ran = await rowmill(['run', join(place, 'in.csv'), path, ...given], { env })
    assert.equal(ran.code, 0, ran.stderr)
    assert.match(ran.stderr, says)
    const content = (file: string) => (file.endsWith('.gz') ? gunzipSync(readFileSync(file)) : readFileSync(file))
    assert.deepEqual(content(path).toString(), content(join(place, expected)).toString())
    assert.deepEqual(content(path), content(join(place, expected)))
    assert.deepEqual(readdirSync(folder), [out])

    const verified = await rowmill(['verify', path, '--job', 'j'], { env })
    assert.equal(verified.code, 0, verified.stderr)
    if (out !== 'out.csv') return
    writeFileSync(path, readFileSync(path).subarray(3))
    const other = await rowmill(['verify', path, '--job', 'j'], { env })
    assert.notEqual(other.code, 0, other.stdout)
  })
}

test('mode a appends a second run to the first, and the rows of a job are there once after a resume', async t => {
  const { pipeline } = await testPipeline(t)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
  const [folder, place] = [testFolder(t), join(CASES, 'to-csv-utf-8-sig')]
  const path = join(folder, 'out.csv')
  const given = [
    '--classifier',
    join(place, 'clf.py'),
    '--workers',
    '1',
    '--to-csv',
    '{"mode": "a", "encoding": "utf-8-sig"}',
  ]
  const run = (more: readonly string[], crash?: string) =>
    rowmill(['run', ...more], { env: { ...env, ...(crash && { ROWMILL_CRASH: `${crash}:1 ${path}.crashed` }) } })
  const whole = readFileSync(join(place, 'expected.csv'))
  const first = await run([join(place, 'in.csv'), path, ...given])
  assert.equal(first.code, 0, first.stderr)
  assert.deepEqual(readFileSync(path), whole)
  const second = await run([join(place, 'in.csv'), path, ...given], 'output-named')
  assert.notEqual(second.code, 0, second.stderr)
  const resumed = await run(['--resume', path])
  assert.equal(resumed.code, 0, resumed.stderr)
  assert.deepEqual(readFileSync(path), Buffer.concat([whole, whole.subarray(3)]))
  for (const file of [path, `${path}.crashed`]) rmSync(file)
  assert.deepEqual(readdirSync(folder), [])
})
