/** The commands with OUT named .gz, .bz2 and so on. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { rowmill, testFolder } from '../helpers/cli.ts'
import { python } from '../helpers/python.ts'
import { serialJob } from '../helpers/serial.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.py:a_text')
const SERIAL_JOB = join(import.meta.dirname, '../../examples/serial_job.py')

async function place(t: TestContext) {
  const { pipeline } = await testPipeline(t)
  const folder = testFolder(t)
  const input = join(folder, 'in.csv')
  writeFileSync(input, `ID,A\n${Array.from({ length: 700 }, (_, row) => `${row},a${row}\n`).join('')}`)
  const brokers = await brokerAddress()
  const env = { ROWMILL_BROKERS: brokers, ROWMILL_PIPELINE: pipeline }
  const run = (out: string, ...more: string[]) =>
    rowmill(['run', input, out, '--classifier', CLASSIFIER, '--workers', '1', ...more], { env })
  return { folder, input, env, run }
}

test('run and collect pack OUT by its name, and verify compares its content', async t => {
  const { folder, input, env, run } = await place(t)
  const [out, other] = [join(folder, 'out.csv.gz'), join(folder, 'other.csv.bz2')]
  const serial = await serialJob(input, CLASSIFIER)
  const ran = await run(out, '--job', 'j')
  assert.equal(ran.code, 0, ran.stderr)
  assert.equal(gunzipSync(readFileSync(out)).toString(), serial)
  const collected = await rowmill(['collect', other, '--job', 'j'], { env })
  assert.equal(collected.code, 0, collected.stderr)
  assert.deepEqual(readdirSync(folder).sort(), ['in.csv', 'other.csv.bz2', 'out.csv.gz'])

  const verify = () => rowmill(['verify', out, '--job', 'j', '--against', other], { env })
  const same = await verify()
  assert.equal(same.code, 0, same.stderr)
  assert.match(same.stdout, /\nsame\n$/)
  assert.match(same.stderr, /out\.csv\.gz is packed \(gzip\).*\n.*other\.csv\.bz2 is packed \(bz2\)/)

  const bytes = Buffer.from(serial)
  const offset = bytes.indexOf('\n500,') + 7
  bytes[offset]! ^= 1
  const line = bytes.toString('latin1', 0, offset).split('\n').length
  writeFileSync(out, gzipSync(bytes))
  const changed = await verify()
  assert.equal(changed.code, 6, changed.stderr)
  const named = `out\\.csv\\.gz differs .* in row 500 \\(line ${line}, byte offset ${offset}\\): .* \\[FILES_DIFFER\\]`
  assert.match(changed.stderr, new RegExp(named))
  assert.match(changed.stderr, /also: .*out\.csv\.gz and .*other\.csv\.bz2 differ first in row 500 /)

  for (const path of [out, other]) {
    const whole = readFileSync(path)
    writeFileSync(path, whole.subarray(0, whole.length / 2))
    const broken = await rowmill(['verify', path, '--job', 'j'], { env })
    assert.equal(broken.code, 1, broken.stderr)
    assert.match(broken.stderr, new RegExp(`cannot read ${path}: .* \\[INPUT_UNREADABLE\\]`))
  }
})

test('gzip with mtime in --to-csv has the original bytes; compression null gives plain text', async t => {
  const { folder, input, run } = await place(t)
  mkdirSync(join(folder, 'serial'))
  for (const compression of [{ method: 'gzip', mtime: 1 }, null]) {
    const toCsv = JSON.stringify({ compression })
    const name = `out-${compression === null}.csv.gz`
    const ran = await run(join(folder, name), '--to-csv', toCsv)
    assert.equal(ran.code, 0, ran.stderr)
    const serial = join(folder, 'serial', name)
    execFileSync(python, [SERIAL_JOB, input, serial, '--classifier', CLASSIFIER, '--to-csv', toCsv])
    assert.deepEqual(readFileSync(join(folder, name)), readFileSync(serial))
  }
})

test('output that cannot be packed is refused by name before anything begins', async t => {
  const { folder, input, env } = await place(t)
  const module = join(folder, 'pass.ts')
  writeFileSync(module, 'export default rows => rows\n')
  const noPython = { ...env, ROWMILL_PYTHON: '/nowhere/python' }
  const run = (out: string, toCsv: unknown) =>
    rowmill(['run', input, out, '--classifier', module, '--to-csv', JSON.stringify(toCsv)], { env: noPython })
  const out = (name: string) => join(folder, name)
  for (const [refused, why] of [
    [await run(out('out.csv.bz2'), {}), /library of Python packs OUT .*out\.csv\.bz2 \(bz2\).*\[PYTHON_UNUSABLE\]/],
    [await run(out('out.csv'), { compression: 'zip' }), /packs OUT .*out\.csv \(zip\).*\[PYTHON_UNUSABLE\]/],
    [
      await run(out('out.gz'), { compression: { method: 'infer', level: 1 } }),
      /gzip takes compresslevel, mtime.*\[USAGE\]/,
    ],
    [await run('-', { compression: 'gzip' }), /standard output is not compressed.*\[USAGE\]/],
    [
      await rowmill(['collect', out('out.gz'), '--follow', '--job', 'j'], { env }),
      /--follow cannot append to a compressed file: choose another name.*\[USAGE\]/,
    ],
    [await rowmill(['rejects', 'export', out('bad.zip'), '--job', 'j'], { env }), /writes plain text.*\[USAGE\]/],
  ] as const) {
    assert.deepEqual([refused.code, refused.stdout], [2, ''], refused.stderr)
    assert.match(refused.stderr, why)
  }
  assert.deepEqual(readdirSync(folder).sort(), ['in.csv', 'pass.ts'])
  const packed = await run(out('out.csv.zst'), {})
  assert.equal(packed.code, 0, packed.stderr)
  assert.equal(existsSync(out('out.csv.zst')), true)
})
