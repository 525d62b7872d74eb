/** Events that are like the job of a nightly file: the same columns, dtypes and bytes; what does not fit is a reject. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openJob } from '../../src/index.ts'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { rowmill, testFolder } from '../helpers/cli.ts'

const MODULE = join(import.meta.dirname, '../fixtures/has_an_a.py:with_dtypes')
const COLUMNS = 'id,count,share,sold,size,day'
const ROWS = ['7,1,0.5,True,S,2024-03-01', '8,2,,False,L,2024-03-02', '9,3,1.5,True,S,2024-03-03']
const READ = "pd.read_csv(IN, index_col='id', dtype={'size': 'category'}, parse_dates=['day'])"

/** A pipeline with the published and classified job of a nightly file, and the bytes of its output. */
async function nightly(t: TestContext, read = READ, write = 'df.to_csv(OUT)') {
  const folder = testFolder(t)
  const [input, output] = [join(folder, 'in.csv'), join(folder, 'nightly.csv')]
  writeFileSync(input, `${[COLUMNS, ...ROWS].join('\n')}\n`)
  const { pipeline } = await testPipeline(t)
  const brokers = await brokerAddress()
  const run = (...args: string[]) => rowmill(args, { env: { ROWMILL_BROKERS: brokers, ROWMILL_PIPELINE: pipeline } })
  const published = await run('publish', input, '--job', 'nightly', '--read', read, '--write', write)
  assert.equal(published.code, 0, published.stderr)
  const classify = async (job: string, out: string) => {
    const worked = await run('work', '--classifier', MODULE, '--workers', '1', '--until-done', job)
    assert.equal(worked.code, 0, worked.stderr)
    const collected = await run('collect', out, '--job', job)
    return { ...collected, text: readFileSync(out, 'utf8') }
  }
  return { folder, run, classify, output, open: { pipeline, brokers: [brokers] } }
}

test('rows sent one by one get the bytes of the nightly file, and a value that does not fit is a reject by name', async t => {
  const { folder, run, classify, output, open } = await nightly(t)
  const before = await classify('nightly', output)
  assert.equal(before.code, 0, before.stderr)
  const job = await openJob({ ...open, id: 'live', like: 'nightly' })
  t.after(() => job.close())
  assert.deepEqual(job.columns, COLUMNS.split(','))
  const unfit = {
    count: '1,2.5,0.5,True,S,2024-03-01',
    sold: '2,1,0.5,1,S,2024-03-01',
    size: '3,1,0.5,True,XL,2024-03-01',
    day: '4,1,0.5,True,S,01.03.2024',
  }
  for (const row of [...ROWS, ...Object.values(unfit)]) await job.send(row.split(','))
  await job.end()
  const live = await classify('live', join(folder, 'live.csv'))
  assert.equal(live.code, 4, live.stderr)
  assert.equal(live.text, before.text)
  const { stdout } = await run('rejects', 'list', '--job', 'live', '-o', 'json')
  const rejects = stdout
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
  assert.deepEqual(
    rejects.map(({ row }) => row),
    [3, 4, 5, 6],
  )
  assert.match(rejects[0].detail, /row 3: '2\.5' does not fit column 'count', which is int64 in the whole file/)
  assert.match(rejects[1].detail, /row 4: '1' does not fit column 'sold', which is bool in the whole file/)
  assert.match(rejects[2].detail, /row 5: 'XL' does not fit column 'size', which is a category of other values/)
  assert.match(
    rejects[3].detail,
    /row 6: '01\.03\.2024' does not fit column 'day', which has dates .* in the format '%Y-%m-%d'/,
  )
})

test('jobs open --like opens a job for any program, and refuses what would come out otherwise', async t => {
  const { run } = await nightly(t)
  const opened = await run('jobs', 'open', '--job', 'live', '--like', 'nightly')
  assert.equal(opened.code, 0, opened.stderr)
  assert.match(opened.stderr, /job live is open .*"id":"\.\.\.","count":"\.\.\."/)
  const again = await run('jobs', 'open', '--job', 'live', '--like', 'nightly')
  assert.match(again.stderr, /job live is open already/)
  const refused: [args: string[], message: RegExp][] = [
    [['--like', 'nothing'], /like job "nothing": there is no such job in pipeline/],
    [['--like', 'nightly', '--columns', 'A'], /--like and --columns say the same: leave out --columns/],
  ]
  for (const [args, message] of refused) {
    const { code, stderr } = await run('jobs', 'open', '--job', 'other', ...args)
    assert.equal(code, 2, stderr)
    assert.match(stderr, message)
  }
})

test('a job whose output shows the numbers of rows is refused for events without numbers', async t => {
  const { run, open } = await nightly(t, 'pd.read_csv(IN)')
  const { code, stderr } = await run('jobs', 'open', '--job', 'live', '--like', 'nightly')
  assert.equal(code, 2, stderr)
  assert.match(stderr, /like job "nightly": its rows are numbered, and these events have no numbers.*openJob/)
  const job = await openJob({ ...open, id: 'live', like: 'nightly' })
  assert.equal(job.seq, 0)
  await job.close()
  await assert.rejects(openJob({ ...open, id: 'live', like: 'nightly', columns: ['A'] }), {
    code: 'USAGE',
    message: /leave one/,
  })
})
