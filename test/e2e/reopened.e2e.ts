/** Reopened jobs: a repaired classifier gets every row that has no result yet. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { type Finished, rowmill, startRowmill, testFolder } from '../helpers/cli.ts'

const BAD = [7, 150, 333]
const ROWS = Array.from({ length: 400 }, (_, seq) => [`${seq}`, BAD.includes(seq) ? 'bad, "row"' : 'good'])
const MESSAGE = 'no bad rows here'

/** Logs every index, throws at a bad row unless it is repaired, and marks the others. */
const classifier = (mark: string, repaired: boolean, column: string) => `
import os
def classify_df(df):
    with open(os.path.join(os.path.dirname(__file__), 'indices.log'), 'a') as log:
        log.write(''.join(f'{index}\\n' for index in df.index))
    if ${repaired ? 'False' : 'True'} and df['A'].str.startswith('bad').any():
        raise ValueError('${MESSAGE}')
    df['${column}'] = '${mark}'
    return df
`

const quoted = (cell: string) => (cell.includes('"') ? `"${cell.replaceAll('"', '""')}"` : cell)
const csv = (rows: readonly (readonly string[])[]) => rows.map(row => `${row.map(quoted)}\n`).join('')
/** The expected output: bad rows, if present, have the mark of the repaired classifier. */
const output = (bad: string | null) =>
  csv(
    ROWS.flatMap(([id, a], seq) => (BAD.includes(seq) ? (bad === null ? [] : [[id!, a!, bad]]) : [[id!, a!, 'first']])),
  )

async function place(t: TestContext, more: Record<string, string> = {}) {
  const folder = testFolder(t)
  const [input, out, target, log] = ['in.csv', 'out.csv', 'classifier.py', 'indices.log'].map(name =>
    join(folder, name),
  ) as [string, string, string, string]
  writeFileSync(input, csv([['ID', 'A'], ...ROWS]))
  const write = (mark: string, repaired: boolean, column = 'MARK') => {
    writeFileSync(target, classifier(mark, repaired, column))
    writeFileSync(log, '')
  }
  const { pipeline } = await testPipeline(t)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline, ...more }
  const cli = (...args: string[]) => rowmill([...args, '--timeout', '30'], { env })
  const indices = () => readFileSync(log, 'utf8').trimEnd().split('\n')
  return { folder, input, out, target, write, cli, env, indices, pipeline }
}

const exits = ({ code, stderr }: Finished, expected: number) => assert.equal(code, expected, stderr)

for (const [where, without] of [
  ['on a shared pipeline', {}],
  ['on a local broker', { ROWMILL_BROKERS: '', ROWMILL_PIPELINE: '' }],
] as const)
  test(`run --resume ${where} after a reject too many: a repaired classifier does the rest in another attempt`, t =>
    resumeRun(t, without))

async function resumeRun(t: TestContext, without: Record<string, string>): Promise<void> {
  const { folder, input, out, target, write, cli, indices } = await place(t, without)
  write('first', false)
  const failed = await cli('run', input, out, '--classifier', target)
  exits(failed, 5)
  assert.match(failed.stderr, /once the classifier is repaired, resume with: rowmill run --resume \S+\n$/)
  assert.equal(existsSync(out), false)
  const still = await cli('run', '--resume', out)
  exits(still, 5)
  assert.match(still.stderr, /resumes in attempt 1/)
  write('first', true, 'OTHER')
  const drifts = await cli('run', '--resume', out)
  exits(drifts, 1)
  assert.match(drifts.stderr, /KIND_DRIFT.*once the classifier is repaired, resume with: rowmill run --resume \S+\n$/s)
  write('first', true)
  const mended = await cli('run', '--resume', out)
  exits(mended, 0)
  assert.match(mended.stderr, /resumes in attempt 3/)
  assert.equal(readFileSync(out, 'utf8'), output('first'))
  const seen = indices()
  for (const bad of BAD) assert.ok(seen.includes(`${bad}`), `row ${bad} was classified again`)
  assert.deepEqual(readdirSync(folder).sort(), ['classifier.py', 'in.csv', 'indices.log', 'out.csv'])
}

test('rejects of a complete job are listed, exported, replayed, and in their places in the next output', async t => {
  const { folder, input, out, target, write, cli, env, indices } = await place(t)
  write('first', false)
  const work = () => {
    const working = startRowmill(['work', '--classifier', target, '--workers', '2'], { env })
    t.after(() => working.child.kill('SIGKILL'))
    return working
  }
  const drain = async ({ child, finished }: ReturnType<typeof work>) => {
    child.kill('SIGTERM')
    exits(await finished, 0)
  }
  const first = work()
  exits(await cli('publish', input, '--job', 'j', '--max-rejects', '3'), 0)
  exits(await cli('collect', out, '--job', 'j'), 4)
  assert.equal(readFileSync(out, 'utf8'), output(null))

  const listed = await cli('rejects', 'list', '--job', 'j')
  exits(listed, 0)
  const detail = (seq: number) => `classifier ${target} failed on row ${seq}: ValueError: ${MESSAGE}`
  const lines = BAD.map(seq => `${seq}\t${seq + 2}\tCLASSIFIER_FAILED\t${detail(seq)}\n`)
  assert.equal(listed.stdout, `row\tline\treason\tdetail\n${lines.join('')}`)
  const rejects = join(folder, 'rejects.csv')
  exits(await cli('rejects', 'export', rejects, '--job', 'j'), 0)
  const expected = csv([['ID', 'A'], ...BAD.map(seq => ROWS[seq]!)])
  assert.equal(readFileSync(rejects, 'utf8'), expected)
  exits(await cli('rejects', 'export', rejects, '--job', 'j'), 2)
  assert.equal((await cli('rejects', 'export', '--job', 'j')).stdout, expected)

  await drain(first)
  write('second', true)
  const second = work()
  exits(await cli('rejects', 'replay', '--job', 'j'), 0)
  exits(await cli('work', '--classifier', target, '--until-done', 'j'), 0)
  exits(await cli('collect', out, '--job', 'j', '--force'), 0)
  assert.equal(readFileSync(out, 'utf8'), output('second'))
  assert.deepEqual(
    [...new Set(indices())].sort(),
    BAD.map(String).sort(),
    'rows with a result are not classified again',
  )
  exits(await cli('verify', out, '--job', 'j'), 0)
  assert.equal((await cli('rejects', 'list', '--job', 'j')).stdout, '')
  const nothing = await cli('rejects', 'replay', '--job', 'j')
  exits(nothing, 0)
  assert.match(nothing.stderr, /has no rejects: there is nothing to replay/)
  await drain(second)

  // Later workers find nothing left of the attempt, and serve other jobs.
  const third = work()
  exits(await cli('publish', input, '--job', 'k'), 0)
  exits(await cli('collect', join(folder, 'k.csv'), '--job', 'k'), 0)
  await drain(third)
})

test('the parts of a failed job resume in another attempt: workers, publisher, and collector', async t => {
  const { input, out, target, write, cli } = await place(t)
  write('first', false)
  exits(await cli('publish', input, '--job', 'j'), 0)
  const [worked, collected] = await Promise.all([
    cli('work', '--classifier', target, '--until-done', 'j'),
    cli('collect', out, '--job', 'j'),
  ])
  assert.ok(worked.code === 5 || worked.code === 0, 'it may be done before the collector decides')
  exits(collected, 5)
  const [command] = /rowmill rejects replay --job j .* && rowmill collect .*/.exec(collected.stderr) ?? []
  assert.ok(command, collected.stderr)
  const published = await cli('publish', input, '--job', 'j')
  exits(published, 5)
  assert.match(
    published.stderr,
    /once the classifier is repaired and rowmill work is restarted with it, resume with: rowmill rejects replay/,
  )
  exits(await cli('verify', target, '--job', 'j'), 6)
  write('first', true)
  exits(await cli('rejects', 'replay', '--job', 'j'), 0)
  const twice = await cli('rejects', 'replay', '--job', 'j')
  exits(twice, 0)
  assert.match(twice.stderr, /job j, attempt 1: /)
  exits(await cli('publish', input, '--job', 'j'), 0)
  const ends = await Promise.all([
    cli('work', '--classifier', target, '--until-done', 'j'),
    cli('collect', out, '--job', 'j'),
  ])
  for (const end of ends) exits(end, 0)
  assert.equal(readFileSync(out, 'utf8'), output('first'))
  exits(await cli('verify', out, '--job', 'j'), 0)
})

test('a job that is incurable, unfinished or missing is not replayed, with the reason', async t => {
  const { folder, input, out, target, write, cli, env } = await place(t)
  const refused = async (job: string, why: RegExp) => {
    const replayed = await cli('rejects', 'replay', '--job', job)
    exits(replayed, 2)
    assert.match(replayed.stderr, why)
  }
  exits(await cli('publish', input, '--job', 'waits'), 0)
  await refused('nobody', /job nobody is not in pipeline/)
  await refused('waits', /job waits is not classified to its end yet/)
  const stopped = startRowmill(['publish', '-', '--job', 'stopped'], { env, input: 'ID,A\n1,x\n', inputStays: true })
  const listed = await cli('rejects', 'list', '--job', 'waits')
  assert.match(listed.stderr, /0 rejects of job waits so far/)
  for (let there = false; !there; ) there = (await cli('rejects', 'list', '--job', 'stopped')).code === 0
  stopped.child.kill('SIGTERM')
  await stopped.finished
  await refused('stopped', /ended with JOB_CANCELLED, which no further attempt cures/)
  write('first', true)
  exits(await cli('work', '--classifier', target, '--until-done', 'waits'), 0)
  exits(await cli('collect', out, '--job', 'waits'), 0)
  exits(await cli('rejects', 'forget', '--job', 'waits'), 2)
  exits(await cli('rejects', 'list', join(folder, 'x.csv'), '--job', 'waits'), 2)
})
