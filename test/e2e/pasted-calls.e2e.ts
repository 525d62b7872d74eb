/** `--read` and `--write`: the calls of the original program give its bytes, however the rows are split and spread. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { brokerAddress } from '../helpers/broker.ts'
import { rowmill, testFolder } from '../helpers/cli.ts'
import { python } from '../helpers/python.ts'

const CASES = join(import.meta.dirname, '../fixtures/cases')
const CLASSIFIERS = join(import.meta.dirname, '../fixtures/has_an_a.py')
const TEXTS = "index_col=0, dtype=str, engine='python'"

/** What people read, with the bytes that the original program wrote. */
const READS: Readonly<Record<string, string>> = {
  'plain-read-csv': 'pd.read_csv(IN)',
  'engine-default-leading-zeros': 'pd.read_csv(IN, index_col=0, dtype=str)',
  'engine-default-decimal-ids': 'pd.read_csv(IN, index_col=0, dtype=str)',
  'engine-default-one-column-empty': 'pd.read_csv(IN, dtype=str)',
  'dtype-partial-dict': "pd.read_csv(IN, dtype={'id': 'str'}, engine='python')",
  'decimal-comma': `pd.read_csv(IN, ${TEXTS}, sep=';', decimal=',')`,
  latin1: `pd.read_csv(IN, ${TEXTS}, encoding='latin-1')`,
  utf16: `pd.read_csv(IN, ${TEXTS}, encoding='utf-16', sep='\\t')`,
  skipfooter: `pd.read_csv(IN, ${TEXTS}, skipfooter=1)`,
  comment: `pd.read_csv(IN, ${TEXTS}, comment='#')`,
  'on-bad-lines-skip': `pd.read_csv(IN, ${TEXTS}, on_bad_lines='skip')`,
  'parse-dates': `pd.read_csv(IN, ${TEXTS}, parse_dates=['d'])`,
  'sep-regex': `pd.read_csv(IN, ${TEXTS}, sep=r'\\s+')`,
  'compressed-zip': `pd.read_csv(IN, ${TEXTS})`,
}
const WITHOUT_INDEX: readonly string[] = ['plain-read-csv', 'dtype-partial-dict']

async function runPasted(
  [input, output]: readonly [string, string],
  calls: { readonly function: string; readonly read: string; readonly write: string },
  more: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
) {
  const classifier = `${CLASSIFIERS}:${calls.function}`
  const args = ['run', input, output, '--classifier', classifier, '--read', calls.read, '--write', calls.write, ...more]
  return await rowmill(args, { env: { ROWMILL_BROKERS: await brokerAddress(), ...env } })
}

for (const [name, read] of Object.entries(READS)) {
  test(`${name}: ${read} gives the bytes of the original program`, async t => {
    const folder = testFolder(t)
    const input = readdirSync(join(CASES, name)).find(file => file.startsWith('in.csv'))!
    const output = join(folder, 'out.csv')
    const index = WITHOUT_INDEX.includes(name) ? ', index=False' : ''
    const calls = { function: 'classify_df', read, write: `df.to_csv(OUT, header=False${index})` }
    const run = await runPasted([join(CASES, name, input), output], calls, ['--batch-rows', '5', '--workers', '1'])
    assert.equal(run.code, 0, run.stderr)
    assert.deepEqual(readFileSync(output), readFileSync(join(CASES, name, 'expected.csv')))
    assert.deepEqual(readdirSync(folder), ['out.csv'])
  })
}

const DAY_MS = 86_400_000

/** Every column has another dtype in some batches than in the whole file. */
function mixedRows(count: number): string {
  const rows = Array.from({ length: count }, (_, i) => {
    const date = new Date(Date.UTC(2024, 0, 1) + i * DAY_MS).toISOString().slice(0, 10)
    const cells = [
      i,
      i % 90 ? i / 8 : '',
      i < count - 9 ? i : 'x',
      i % 2 ? 'True' : 'False',
      date,
      `  Two  WORDS ${i} `,
    ]
    return [...cells, i % 3 ? 'low' : 'high', `"${i},5"`].join()
  })
  return `id,sparse,late,flag,day,text,kind,amount\n${rows.join('\n')}\n`
}

const MIXED = {
  function: 'with_dtypes',
  read: "pd.read_csv(IN, parse_dates=['day'], converters={'text': clean}, dtype={'kind': KINDS, 'late': str})",
  write: 'df.to_csv(OUT, index=False, float_format=shortened)',
}

/** What the original program writes. */
async function original(input: string, calls: typeof MIXED): Promise<string> {
  const output = `${input}.original`
  const script = join(import.meta.dirname, 'pasted_job.py')
  await promisify(execFile)(python, ['-B', script, input, output, CLASSIFIERS, calls.function, calls.read, calls.write])
  return readFileSync(output, 'utf8')
}

for (const [workers, batchRows, rows] of [
  [1, 1, 40],
  [1, 100, 450],
  [3, 7, 450],
  [3, 100, 1200],
] as const) {
  test(`${rows} rows of many dtypes, with ${workers} workers and batches of ${batchRows}`, async t => {
    const folder = testFolder(t)
    const [input, output] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
    writeFileSync(input, mixedRows(rows))
    const layout = ['--workers', String(workers), '--batch-rows', String(batchRows)]
    const run = await runPasted([input, output], MIXED, layout)
    assert.equal(run.code, 0, run.stderr)
    assert.equal(readFileSync(output, 'utf8'), await original(input, MIXED))
  })
}

test('a worker that is killed in the middle of the job changes no byte', async t => {
  const folder = testFolder(t)
  const [input, output, crashed] = [join(folder, 'in.csv'), join(folder, 'out.csv'), join(folder, 'crashed')]
  writeFileSync(input, mixedRows(450))
  const env = { ROWMILL_CRASH: `batch-classified:3 ${crashed}` }
  const run = await runPasted([input, output], MIXED, ['--workers', '2', '--batch-rows', '7'], env)
  assert.equal(run.code, 0, run.stderr)
  assert.ok(existsSync(crashed))
  assert.equal(readFileSync(output, 'utf8'), await original(input, MIXED))
})

test('a file of so many long categories that they do not fit a job record as they are', async t => {
  const folder = testFolder(t)
  const [input, output] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
  const rows = Array.from({ length: 12_000 }, (_, i) => `${i},${'a long category '.repeat(6)}${i}\n`)
  writeFileSync(input, `id,text\n${rows.join('')}`)
  const calls = {
    function: 'with_dtypes',
    read: "pd.read_csv(IN, dtype={'text': 'category'})",
    write: 'df.to_csv(OUT, index=False)',
  }
  const run = await runPasted([input, output], calls, ['--probe', '0'])
  assert.equal(run.code, 0, run.stderr)
  assert.equal(readFileSync(output, 'utf8'), await original(input, calls))
})

test('sums of rows of integers and fractions are rounded as in the whole file', async t => {
  const folder = testFolder(t)
  const [input, output] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
  const cents = (i: number, factor: number) => ((i * factor) % 99_991) / 100
  const rows = Array.from({ length: 3000 }, (_, i) =>
    [i % 9, cents(i, 7919), i % 97, cents(i, 104_729), cents(i, 15_485_863)].join(),
  )
  writeFileSync(input, `k,a,n,b,c\n${rows.join('\n')}\n`)
  const calls = { function: 'with_sums', read: 'pd.read_csv(IN)', write: 'df.to_csv(OUT, index=False)' }
  const run = await runPasted([input, output], calls, ['--workers', '2', '--batch-rows', '50'])
  assert.equal(run.code, 0, run.stderr)
  assert.equal(readFileSync(output, 'utf8'), await original(input, calls))
})
