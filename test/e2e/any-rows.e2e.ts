/** --rows any: a classifier that drops and multiplies rows, from the command line to OUT, through rejects, replay and a kill. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { type Finished, rowmill, startRowmill, testFolder } from '../helpers/cli.ts'
import { serialJob } from '../helpers/serial.ts'

const TOTAL = 600
const ROWS = Array.from({ length: TOTAL }, (_, seq) => [`${3 * seq + 1}`, 'a b c d'.slice(0, (seq % 5) * 2)])

/** Makes a row of each letter; rows without one are dropped. Unless it is repaired, it throws at some ids. */
const classifier = (repaired: boolean) => `
def classify_df(df):
    if ${repaired ? 'False' : "df.index.isin(['22', 22, 901, 1501]).any()"}:
        raise ValueError('not yet')
    df = df.dropna(subset=['TEXT'])
    if df.empty:
        return df
    df = df.assign(LETTER=df['TEXT'].str.split(' ')).explode('LETTER')
    return df[df['LETTER'] != '']
`

async function place(t: TestContext) {
  const folder = testFolder(t)
  const [input, out, target, report] = ['in.csv', 'out.csv', 'words.py', 'report.json'].map(name => join(folder, name))
  writeFileSync(input!, `ID,TEXT\n${ROWS.map(cells => `${cells}\n`).join('')}`)
  const write = (repaired: boolean) => writeFileSync(target!, classifier(repaired))
  write(true)
  const { pipeline } = await testPipeline(t)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
  const expected = await serialJob(input!, target!)
  const rowsOut = expected.split('\n').length - 1
  const paths = { input: input!, out: out!, target: target!, report: report! }
  return { ...paths, write, env, pipeline, expected, rowsOut, cli: (...args: string[]) => rowmill(args, { env }) }
}

const exits = ({ code, stderr }: Finished, expected: number) => assert.equal(code, expected, stderr)

test('run and verify: the same bytes as the original job, and the report says rows in and rows out', async t => {
  const { cli, input, out, target, report, expected, rowsOut } = await place(t)
  const many = ['--rows', 'any', '--workers', '2', '--batch-rows', '7', '--partitions', '3']
  const ran = await cli('run', input, out, '--classifier', target, '--job', 'w', '--report', report, ...many)
  exits(ran, 0)
  assert.equal(readFileSync(out, 'utf8'), expected)
  assert.match(ran.stderr, new RegExp(`${TOTAL} rows in and ${rowsOut} out, in `))
  const told = JSON.parse(readFileSync(report, 'utf8'))
  assert.deepEqual([told.rows, told.rowsIn, told.rowsOut, told.rejects], [TOTAL, TOTAL, rowsOut, 0])
  const verified = await cli('verify', out, '--job', 'w', '--output', 'json')
  exits(verified, 0)
  const { rowsIn, rowsOut: found, same } = JSON.parse(verified.stdout)
  assert.deepEqual([rowsIn, found, same], [TOTAL, rowsOut, true])
  writeFileSync(out, expected.replace('13,a b c d,b', '13,a b c d,X'))
  const wrong = await cli('verify', out, '--job', 'w')
  exits(wrong, 6)
  assert.match(wrong.stderr, /differs from the results in the topics, first in row 4 /)
})

test('without --rows any the first row that is dropped or multiplied is refused, and the message names the option', async t => {
  const { cli, input, out, target } = await place(t)
  const { code, stderr } = await cli('run', input, out, '--classifier', target)
  assert.equal(code, 5, stderr)
  assert.match(stderr, /returned \d+ rows for \d+ .*or give --rows any/)
})

test('rejects are counted by rows that came in, and a replay puts their output rows in place', async t => {
  const { cli, write, env, input, out, target, expected, rowsOut } = await place(t)
  write(false)
  exits(await cli('publish', input, '--job', 'w', '--rows', 'any', '--max-rejects', '3', '--batch-rows', '20'), 0)
  const workers = ['work', '--classifier', target, '--workers', '2']
  const stop = async ({ child, finished }: ReturnType<typeof startRowmill>) => {
    child.kill('SIGTERM')
    await finished
  }
  const first = startRowmill(workers, { env })
  t.after(() => first.child.kill('SIGKILL'))
  exits(await cli('collect', out, '--job', 'w'), 4)
  await stop(first)
  const without = expected.replace(/^(22|901|1501),.*\n/gm, '')
  assert.notEqual(without, expected)
  assert.equal(readFileSync(out, 'utf8'), without)
  exits(await cli('verify', out, '--job', 'w'), 0)
  write(true)
  const second = startRowmill(workers, { env })
  t.after(() => second.child.kill('SIGKILL'))
  exits(await cli('rejects', 'replay', '--job', 'w'), 0)
  const collected = await cli('collect', out, '--job', 'w', '--force', '--output', 'json')
  exits(collected, 0)
  assert.equal(readFileSync(out, 'utf8'), expected)
  const { rows, rowsOut: written } = JSON.parse(collected.stdout)
  assert.deepEqual([rows, written], [TOTAL, rowsOut])
  exits(await cli('verify', out, '--job', 'w'), 0)
  const tail = await cli('tail', '--job', 'w')
  exits(tail, 0)
  assert.equal(tail.stdout, expected)
  await stop(second)
})

test('a collector that is killed resumes with the same bytes and the same count of output rows', async t => {
  const { cli, env, input, out, target, expected, rowsOut } = await place(t)
  exits(await cli('publish', input, '--job', 'w', '--rows', 'any', '--batch-rows', '20'), 0)
  exits(await cli('work', '--classifier', target, '--workers', '1', '--until-done', 'w'), 0)
  const crash = { ROWMILL_CRASH: `rows-written:2 ${out}.crashed` }
  const killed = await rowmill(['collect', out, '--job', 'w'], { env: { ...env, ...crash } })
  assert.equal(killed.signal, 'SIGKILL', killed.stderr)
  const collected = await cli('collect', out, '--job', 'w', '--output', 'json')
  exits(collected, 0)
  assert.equal(readFileSync(out, 'utf8'), expected)
  assert.equal(JSON.parse(collected.stdout).rowsOut, rowsOut)
})
