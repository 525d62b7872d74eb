/** `collect` of a job with to_csv mode a onto an OUT that is there: all rows at its end, once, with the bytes of pandas. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { rowmill, startRowmill, testFolder } from '../helpers/cli.ts'
import { python } from '../helpers/python.ts'

const ROWS = Array.from({ length: 250 }, (_, n) => `${n},é${n}\n`).join('')
const CLASSIFIER = "def classify_df(df):\n    df['SEEN'] = 'ja'\n"

/** One program of pandas that appends to `out.csv` in a folder. */
const PROGRAM = `
import json, sys
import pandas as pd
out, args = sys.argv[2], json.loads(sys.argv[3])
df = pd.read_csv(sys.argv[1], index_col=0, dtype=str, engine='python')
df['SEEN'] = 'ja'
df.to_csv(out, **args)`

/** Publishes and classifies one job for each of `toCsv`. */
async function classified(t: TestContext, jobs: Readonly<Record<string, Record<string, unknown>>>) {
  const folder = testFolder(t)
  const [input, classifier] = [join(folder, 'in.csv'), join(folder, 'clf.py')]
  writeFileSync(input, `ID,TEXT\n${ROWS}`)
  writeFileSync(classifier, CLASSIFIER)
  const { pipeline } = await testPipeline(t)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
  const cli = (args: readonly string[], crash: NodeJS.ProcessEnv = {}) =>
    rowmill([...args], { env: { ...env, ...crash } })
  const publish = ([id, toCsv]: [string, Record<string, unknown>]) =>
    cli(['publish', input, '--job', id, '--to-csv', JSON.stringify(toCsv), '--header'])
  for (const { code, stderr } of await Promise.all(Object.entries(jobs).map(publish))) assert.equal(code, 0, stderr)
  const working = startRowmill(['work', '--classifier', classifier], { env })
  t.after(() => working.child.kill('SIGKILL'))
  const original = (out: string, toCsv: Record<string, unknown>) =>
    execFileSync(python, ['-c', PROGRAM, input, out, JSON.stringify(toCsv)])
  return { folder, cli, original }
}

test('each job is appended as the original program would, a killed collector appends once, mode x refuses', async t => {
  const modes = {
    wide: { mode: 'a', encoding: 'utf-16' },
    signed: { mode: 'a', encoding: 'utf-8-sig' },
  }
  const { folder, cli, original } = await classified(t, { ...modes, new: { mode: 'x' }, old: {} })
  const [out, expected] = [join(folder, 'out.csv'), join(folder, 'expected.csv')]
  for (const path of [out, expected]) writeFileSync(path, 'was there\n')
  for (const [id, toCsv] of Object.entries(modes)) {
    original(expected, toCsv)
    const once = join(folder, `${id}.crashed`)
    const killed = await cli(['collect', out, '--job', id], { ROWMILL_CRASH: `output-named:1 ${once}` })
    assert.equal(killed.signal, 'SIGKILL', killed.stderr)
    const again = await cli(['collect', out, '--job', id])
    assert.deepEqual([again.code, again.stderr], [0, `rowmill: ${out} is complete already\n`])
    assert.deepEqual(readFileSync(out), readFileSync(expected), id)
    assert.equal(existsSync(`${out}.rowmill`), false)
  }
  for (const id of ['new', 'old']) {
    const refused = await cli(['collect', out, '--job', id])
    assert.equal(refused.code, 2, refused.stderr)
    assert.match(refused.stderr, /out\.csv exists.*\[OUTPUT_EXISTS\]/)
  }
  const forced = await cli(['collect', out, '--job', 'wide', '--force'])
  assert.match(forced.stderr, /mode="a" appends to .*, and --force replaces it.*\[USAGE\]/)
  assert.deepEqual(readFileSync(out), readFileSync(expected))
})

test('a collector that is killed before its rows are appended leaves OUT as it was, and the next one appends them', async t => {
  const toCsv = { mode: 'a', compression: { method: 'gzip', mtime: 1 } }
  const { folder, cli, original } = await classified(t, { packed: toCsv })
  const [out, expected] = [join(folder, 'out.csv.gz'), join(folder, 'expected.csv.gz')]
  for (const path of [out, expected]) original(path, { compression: { method: 'gzip', mtime: 1 } })
  const before = readFileSync(out)
  const killed = await cli(['collect', out, '--job', 'packed'], { ROWMILL_CRASH: `rows-written:2 ${out}.crashed` })
  assert.equal(killed.signal, 'SIGKILL', killed.stderr)
  assert.deepEqual(readFileSync(out), before)
  const collected = await cli(['collect', out, '--job', 'packed'])
  assert.equal(collected.code, 0, collected.stderr)
  original(expected, toCsv)
  assert.equal(unpacked(out), unpacked(expected))
})

/** The text of all members. GzipFile stores the name of the file, so the bytes of two files differ. */
function unpacked(path: string): string {
  return execFileSync(python, [
    '-c',
    'import gzip, sys; sys.stdout.buffer.write(gzip.open(sys.argv[1]).read())',
    path,
  ]).toString()
}
