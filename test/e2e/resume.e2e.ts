/** What `run --resume` accepts as its own, and what it refuses to touch or to run. */
import assert from 'node:assert/strict'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { type Finished, rowmill, testFolder } from '../helpers/cli.ts'
import { python } from '../helpers/python.ts'
import { serialJob } from '../helpers/serial.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.py:a_float')

/** A run of a small file that ends at a crash point as if by `kill -9`. */
async function killedAt(t: TestContext, point: string) {
  const folder = testFolder(t)
  const [input, output] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
  writeFileSync(input, `ID,A\n${Array.from({ length: 20 }, (_, row) => `${row},x${row}\n`).join('')}`)
  const { pipeline } = await testPipeline(t)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
  const crash = { ROWMILL_CRASH: `${point}:1 ${join(folder, 'killed')}` }
  const args = ['run', input, output, '--classifier', CLASSIFIER, '--workers', '1']
  const killed = await rowmill(args, { env: { ...env, ...crash } })
  assert.equal(killed.signal, 'SIGKILL', killed.stderr)
  rmSync(join(folder, 'killed'))
  const resume = (...more: string[]): Promise<Finished> => rowmill(['run', '--resume', output, ...more], { env })
  return { folder, output, resume, serial: await serialJob(input, CLASSIFIER) }
}

for (const point of ['output-named', 'run-complete']) {
  test(`a run killed at ${point} completes when resumed, unless its output was changed`, async t => {
    const { folder, output, resume, serial } = await killedAt(t, point)
    assert.equal(readFileSync(output, 'utf8'), serial)
    writeFileSync(output, 'precious\n')
    const refused = await resume()
    assert.equal(refused.code, 2, refused.stderr)
    assert.match(
      refused.stderr,
      /out\.csv exists, and the unfinished run did not write it.*Move it away.*\[OUTPUT_EXISTS\]/,
    )
    assert.equal(readFileSync(output, 'utf8'), 'precious\n')
    writeFileSync(output, serial)
    const resumed = await resume()
    assert.equal(resumed.code, 0, resumed.stderr)
    assert.match(resumed.stderr, /out\.csv is complete already/)
    assert.deepEqual(readdirSync(folder).sort(), ['in.csv', 'out.csv'])
  })
}

test('a file that appeared before the run wrote is not its output; once moved, the run resumes', async t => {
  const { folder, output, resume, serial } = await killedAt(t, 'topics-there')
  writeFileSync(output, 'precious\n')
  const refused = await resume()
  assert.equal(refused.code, 2, refused.stderr)
  assert.match(refused.stderr, /\[OUTPUT_EXISTS\]/)
  assert.equal(readFileSync(output, 'utf8'), 'precious\n')
  rmSync(output)
  const resumed = await resume()
  assert.equal(resumed.code, 0, resumed.stderr)
  assert.equal(readFileSync(output, 'utf8'), serial)
  const runs = `rowmill: resuming with the classifier ${CLASSIFIER}, given in ${process.cwd()}, run by the interpreter ${python}\n`
  assert.ok(resumed.stderr.includes(runs), resumed.stderr)
  assert.deepEqual(readdirSync(folder).sort(), ['in.csv', 'out.csv'])
})

test('a resume refused for its options leaves the run unchanged', async t => {
  const { folder, output, resume, serial } = await killedAt(t, 'rows-acked')
  const refused = await resume('--schema-registry-userinfo-file', join(folder, 'nowhere'))
  assert.equal(refused.code, 2, refused.stderr)
  assert.match(refused.stderr, /\[USAGE\]/)
  const resumed = await resume()
  assert.equal(resumed.code, 0, resumed.stderr)
  assert.equal(readFileSync(output, 'utf8'), serial)
})

test('an OUT that is a symbolic link is refused before the job begins', async t => {
  const folder = testFolder(t)
  const [input, output] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
  writeFileSync(input, 'ID,A\n1,x\n')
  symlinkSync('nowhere', output)
  const { code, stderr } = await rowmill(['run', input, output, '--classifier', CLASSIFIER])
  assert.equal(code, 2, stderr)
  assert.match(stderr, /out\.csv is a symbolic link to a file that does not exist.*\[OUTPUT_UNUSABLE\]/)
  writeFileSync(join(folder, 'nowhere'), 'precious\n')
  const forced = await rowmill(['run', input, output, '--classifier', CLASSIFIER, '--force'])
  assert.equal(forced.code, 2, forced.stderr)
  assert.match(
    forced.stderr,
    /out\.csv is a symbolic link, and --force .*name that file \(.*nowhere\).*\[OUTPUT_UNUSABLE\]/,
  )
  assert.equal(readFileSync(join(folder, 'nowhere'), 'utf8'), 'precious\n')
  assert.deepEqual(readdirSync(folder).sort(), ['in.csv', 'nowhere', 'out.csv'])
})

test('an unfinished run that another user may have planted is neither resumed nor offered', async t => {
  const folder = testFolder(t)
  const [input, output] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
  writeFileSync(input, 'ID,A\n1,x\n')
  mkdirSync(`${output}.rowmill`)
  chmodSync(`${output}.rowmill`, 0o777)
  writeFileSync(join(`${output}.rowmill`, 'run.json'), '{}')
  for (const args of [
    ['run', input, output, '--classifier', CLASSIFIER],
    ['run', input, output, '--classifier', CLASSIFIER, '--restart'],
    ['run', '--resume', output],
    ['collect', output, '--job', 'j', '--brokers', '127.0.0.1:1'],
  ]) {
    const { code, stderr } = await rowmill(args)
    assert.equal(code, 2, stderr)
    assert.match(stderr, /out\.csv\.rowmill may be written to by other users.*chmod -R go-w.*\[OUTPUT_UNUSABLE\]\n$/)
    assert.doesNotMatch(stderr, /--resume/)
  }
  assert.equal(existsSync(output), false)
  assert.deepEqual(readdirSync(`${output}.rowmill`), ['run.json'])
})
