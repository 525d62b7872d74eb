/**
 * Cells, exceptions and foreign messages reach the terminal as text. None of them moves a cursor or sets a clipboard.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { type Finished, rowmill, testFolder } from '../helpers/cli.ts'
import { produceWithLibrdkafka } from '../helpers/foreign-producer.ts'
import { python } from '../helpers/python.ts'

const ROOT = join(import.meta.dirname, '../..')
const EVIL = '\u001b]52;c;ZXZpbA==\u0007\u001b[31m\u009b2J\u202e\b\r'
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
const OBEYED = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u
const SHOWN = '\\u001b]52;c;ZXZpbA==\\u0007\\u001b[31m\\u009b2J\\u202e\\b'
const CLASSIFIER = `
import sys
def classify_df(df):
    for cell in df['A']:
        print('cell', cell)
        if cell != 'x':
            raise ValueError('refused ' + cell)
    df['C'] = 'y'
`
const INPUT = `ID,A\n1,x\n2,"${EVIL}"\n3,x\n`

function printsText({ code, stderr, stdout }: Finished, expected: number, shows: 'stdout' | 'stderr' | null): void {
  assert.equal(code, expected, stderr)
  assert.doesNotMatch(stderr, OBEYED)
  if (shows === 'stdout') assert.doesNotMatch(stdout, OBEYED)
  if (shows !== null) assert.ok({ stdout, stderr }[shows].includes(SHOWN), `${stdout}${stderr}`)
}

test('no command prints terminal escapes from a cell, an exception or a foreign message', async t => {
  const { pipeline } = await testPipeline(t)
  const folder = testFolder(t)
  const [input, classifier] = [join(folder, 'in.csv'), join(folder, 'c.py')]
  writeFileSync(input, INPUT)
  writeFileSync(classifier, CLASSIFIER)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
  const act = (...args: string[]) => rowmill(args, { env })
  const [failing, within] = [await act('publish', input), await act('publish', input, '--max-rejects', '1')]
  const [bad, job] = [failing, within].map(({ stdout }) => stdout.trim()) as [string, string]
  const foreign = JSON.stringify({ job: `${EVIL}`, values: { [EVIL]: EVIL } })
  await produceWithLibrdkafka({ 'bootstrap.servers': await brokerAddress() }, topicsOf(pipeline).rows, [foreign])
  const work = ['work', '--classifier', classifier, '--workers', '1']
  printsText(await act(...work, '--until-done', job), 0, 'stderr')
  printsText(await act('collect', join(folder, 'bad.csv'), '--job', bad), 5, 'stderr')
  printsText(await act('collect', join(folder, 'out.csv'), '--job', job), 4, null)
  printsText(await act('rejects', 'list', '--job', job), 0, 'stdout')
  printsText(await act('jobs', 'list'), 0, null)
  printsText(await act('verify', join(folder, 'out.csv'), '--job', job), 0, null)
  printsText(await act('tail', '--job', job), 0, 'stderr')
  printsText(await act('verify', join(folder, EVIL.replaceAll(/[\0/]/g, '')), '--job', job), 2, null)
  printsText(await act('run', input, '-', '--classifier', classifier), 5, 'stderr')
  printsText(await act('run', `--${EVIL}`), 2, null)
})

test('on a terminal only the bars move the cursor, not what the classifier prints', async t => {
  const folder = testFolder(t)
  const [input, classifier] = [join(folder, 'in.csv'), join(folder, 'c.py')]
  writeFileSync(input, INPUT)
  writeFileSync(classifier, CLASSIFIER)
  const command = [process.execPath, join(ROOT, 'bin/rowmill.js'), 'run', input, join(folder, 'out.csv')]
  const options = ['--classifier', classifier, '--max-rejects', '1']
  const script = 'import pty, sys; pty.spawn(sys.argv[1:])'
  const { NO_COLOR: _, ...env } = process.env
  const { stdout } = await promisify(execFile)(python, ['-c', script, ...command, ...options], {
    env: { ...env, ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PYTHON: python, TERM: 'xterm' },
  })
  assert.ok(stdout.includes(`cell ${SHOWN}`), stdout)
  assert.match(stdout, /published/)
  assert.ok(stdout.includes('\u001b[?25l'), 'our own bars hide the cursor')
  for (const evil of ['\u001b]52', '\u001b[31m', '\u009b', '\u202e', '\b'])
    assert.ok(!stdout.includes(evil), JSON.stringify(evil))
})
