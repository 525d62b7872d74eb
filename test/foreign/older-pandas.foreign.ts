/**
 * pandas 2.3.3 and 1.5.3: the tables of read_csv and to_csv give its bytes or a refusal, and so does a whole pipeline. The
 * tests are those of the pinned pandas, each in a process of its own with the other interpreter.
 */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { rowmill, testFolder } from '../helpers/cli.ts'
import { OLDER_PANDAS, passUnder, prepareOlderPandas, reasonAgainst } from '../helpers/older-pandas.ts'
import { python } from '../helpers/python.ts'

const CLASSIFIER = ['--classifier', join(import.meta.dirname, '../fixtures/has_an_a.py:with_dtypes')]

/** Files of tests that read and write by pandas, each with the pattern of its tests that run. */
const FILES: readonly (readonly [file: string, tests?: string])[] = [
  ['classifier/calls.integration.ts'],
  ['classifier/slices.pandas.ts'],
  ['classifier/corpus-reads.pandas.ts'],
  ['classifier/random-reads.pandas.ts'],
  ['classifier/proof.pandas.ts'],
  ['classifier/flat-memory.pandas.ts'],
  ['classifier/python-bytes.pandas.ts'],
  ['classifier/as-people-write.pandas.ts'],
  ['connectors/to-csv-table.pandas.ts'],
  ['pandas/index-kind.pandas.ts'],
  ['pandas/whole-columns.pandas.ts'],
  // Whole pipelines.
  ['e2e/pasted-calls.e2e.ts', 'rows of many dtypes'],
]

for (const pandas of OLDER_PANDAS) {
  describe(`pandas ${pandas.version}`, { skip: reasonAgainst(pandas) ?? false }, () => {
    for (const [file, tests] of FILES) {
      test(tests === undefined ? file : `${file}: ${tests}`, async () => {
        await passUnder(await prepareOlderPandas(pandas), file, tests)
      })
    }

    test('a worker with another pandas than the publisher ends with one line, and one with the same pandas does the job', async t => {
      const older = await prepareOlderPandas(pandas)
      const { pipeline } = await testPipeline(t)
      const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
      const folder = testFolder(t)
      const [input, output] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
      writeFileSync(input, 'id,day,text\n1,2024-01-01,a\n2,,b\n')
      const calls = ['--read', "pd.read_csv(IN, parse_dates=['day'])", '--write', 'df.to_csv(OUT, index=False)']
      for (const [publisher, others] of [
        [python, older],
        [older, python],
      ] as const) {
        const job = publisher === older ? 'old' : 'new'
        const published = await rowmill(
          ['publish', input, '--job', job, '--python', publisher, ...CLASSIFIER, ...calls],
          { env },
        )
        assert.equal(published.code, 0, published.stderr)
        const work = (interpreter: string) =>
          rowmill(['work', ...CLASSIFIER, '--python', interpreter, '--workers', '1', '--until-done', job], { env })
        const refused = await work(others)
        assert.equal(refused.code, 2, refused.stderr)
        assert.match(
          refused.stderr,
          /rows of this job were read by pandas \d\.\d, and .* has pandas \d.*--python PATH\).*\[PYTHON_UNUSABLE\]/,
        )
        const worked = await work(publisher)
        assert.equal(worked.code, 0, worked.stderr)
        const path = `${output}.${job}`
        const collected = await rowmill(['collect', path, '--job', job], { env })
        assert.equal(collected.code, 0, collected.stderr)
        const [texts, dates] = publisher === older ? ['object', 'ns'] : ['str', 'us']
        const dtypes = `int64 datetime64[${dates}] ${texts}`
        assert.equal(readFileSync(path, 'utf8'), `id,day,text,DTYPES\n1,2024-01-01,a,${dtypes}\n2,,b,${dtypes}\n`)
      }
    })
  })
}
