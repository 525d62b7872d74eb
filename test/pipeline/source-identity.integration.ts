/** A job resumes with the bytes that began it: a file of the same name, size and time is not the same file. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { rowmill, testFolder } from '../helpers/cli.ts'
import { serialJob } from '../helpers/serial.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.py:a_text')
/** The modification time of every file here. */
const TIME = new Date('2026-01-02T03:04:05Z')
const ROWS = 3000

interface Input {
  readonly folder: string
  readonly path: string
  /** Rewrites the file, with this letter in each row, the same size and the same time. */
  write(letter: string): void
}

function inputOf(t: TestContext): Input {
  const folder = testFolder(t)
  const path = join(folder, 'in.csv')
  const write = (letter: string) => {
    writeFileSync(path, `ID,A\n${Array.from({ length: ROWS }, (_, i) => `${i + 10_000},${letter}${i}\n`).join('')}`)
    utimesSync(path, TIME, TIME)
  }
  write('a')
  return { folder, path, write }
}

const sha256 = (path: string) => `sha256:${createHash('sha256').update(readFileSync(path)).digest('hex')}`

test('publish given again resumes the same bytes, and refuses other bytes of the same name, size and time', async t => {
  const { folder, path, write } = inputOf(t)
  const { pipeline } = await testPipeline(t)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
  const publish = (more = {}) => rowmill(['publish', path, '--job', 'j'], { env: { ...env, ...more } })
  const killed = await publish({ ROWMILL_CRASH: `rows-acked:2 ${join(folder, 'crashed')}` })
  assert.equal(killed.signal, 'SIGKILL', killed.stderr)
  const [{ size, mtimeMs }, digest] = [statSync(path), sha256(path)]
  write('b')
  assert.deepEqual([statSync(path).size, statSync(path).mtimeMs], [size, mtimeMs])
  const other = await publish()
  assert.deepEqual([other.code, other.stdout], [2, ''], other.stderr)
  assert.ok(other.stderr.includes(digest) && other.stderr.includes(sha256(path)), other.stderr)
  assert.match(other.stderr, /begun with in\.csv .*\[JOB_EXISTS\]/)
  write('a')
  utimesSync(path, TIME, new Date()) // the same bytes at another time are the same file
  const again = await publish()
  assert.equal(again.code, 0, again.stderr)
  const worked = await rowmill(['work', '--classifier', CLASSIFIER, '--until-done', 'j'], { env })
  assert.equal(worked.code, 0, worked.stderr)
  const out = join(folder, 'out.csv')
  const collected = await rowmill(['collect', out, '--job', 'j', '--timeout', '240'], { env })
  assert.equal(collected.code, 0, collected.stderr)
  assert.equal(readFileSync(out, 'utf8'), await serialJob(path, CLASSIFIER))
})

test('run --resume refuses changed or missing bytes, and keeps the run until its file is back', async t => {
  const { folder, path, write } = inputOf(t)
  const env = { ROWMILL_BROKERS: '' }
  const out = join(folder, 'out.csv')
  const crash = { ROWMILL_CRASH: `rows-acked:2 ${join(folder, 'crashed')}` }
  const killed = await rowmill(['run', path, out, '--classifier', CLASSIFIER], { env: { ...env, ...crash } })
  assert.equal(killed.signal, 'SIGKILL', killed.stderr)
  const digest = sha256(path)
  assert.equal(JSON.parse(readFileSync(`${out}.rowmill/run.json`, 'utf8')).sourceDigest, digest)
  write('b')
  const refused = await rowmill(['run', '--resume', out], { env })
  assert.equal(refused.code, 1, refused.stderr)
  assert.ok(refused.stderr.includes(`begun with other input: ${digest} then, ${sha256(path)} now`), refused.stderr)
  assert.match(refused.stderr, /\[INPUT_CHANGED\]\nrowmill: to resume: rowmill run --resume \S+\n$/)
  rmSync(path)
  const missing = await rowmill(['run', '--resume', out], { env })
  assert.equal(missing.code, 2, missing.stderr)
  assert.match(missing.stderr, /\[INPUT_NOT_FOUND\]\nrowmill: to resume: rowmill run --resume \S+\n$/)
  write('a')
  const resumed = await rowmill(['run', '--resume', out], { env })
  assert.equal(resumed.code, 0, resumed.stderr)
  assert.equal(readFileSync(out, 'utf8'), await serialJob(path, CLASSIFIER))
  assert.equal(existsSync(`${out}.rowmill`), false)
})
