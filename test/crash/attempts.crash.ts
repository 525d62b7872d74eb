/** A job that is reopened while its workers are killed, join and leave. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { assertCode, type Command, Fire } from './fire.ts'

/** Throws at every tenth row until the file `repaired` is beside it; logs its answers, 1 ms a row. */
const CLASSIFIER = `
import os, time
HERE = os.path.dirname(__file__)
def classify_df(df):
    repaired = os.path.exists(os.path.join(HERE, 'repaired'))
    if not repaired and (df['A'].str.endswith('0')).any():
        raise ValueError('not repaired')
    if repaired:
        with open(os.path.join(HERE, 'again.log'), 'a') as log:
            log.write(''.join(f'{index}\\n' for index in df.index))
    time.sleep(0.001 * len(df))
    df['TWICE'] = [f'{name}{name}' for name in df.iloc[:, 0]]
    return df
`

test('rejects are replayed by workers that die, leave and join: each has one row, others are unchanged', async t => {
  const fire = await Fire.open(t)
  await fire.stopWatching() // the first output lacks rows
  const target = join(fire.folder, 'classifier.py')
  writeFileSync(target, CLASSIFIER)
  const work = (workers: number, fate = {}) =>
    fire.start(['work', '--classifier', target, '--workers', `${workers}`], fate)
  const first = work(2)
  assertCode(await fire.publish({ more: ['--max-rejects', '50%'] }).finished, 0)
  assertCode(await fire.collect().finished, 4)
  await fire.drain(first)
  const left = fire.serial.split('\n').filter((line, row) => row % 10 !== 0 || line === '')
  assert.equal(readFileSync(fire.output, 'utf8'), left.join('\n'))

  writeFileSync(join(fire.folder, 'repaired'), '')
  const killed = work(2, { at: 'batch-classified', time: 3 })
  const leaves = work(1, { at: 'result-acked', time: 2 })
  assertCode(await fire.start(['rejects', 'replay', '--job', 'j']).finished, 0)
  const comes: Command = work(1)
  const collected = await fire.collect({ more: ['--force'] }).finished
  assertCode(collected, 0)
  await fire.drain(killed, leaves, comes)
  assert.equal(readFileSync(fire.output, 'utf8'), fire.serial, 'output')
  assertCode(await fire.start(['verify', fire.output, '--job', 'j']).finished, 0, 'once')
  const again = readFileSync(join(fire.folder, 'again.log'), 'utf8').trimEnd().split('\n')
  const rejects = Array.from({ length: fire.rows / 10 }, (_, i) => `${i * 30}`)
  assert.deepEqual([...new Set(again)].sort(), rejects.sort(), 'rows with a result are not touched')
  // The second worker joins, one leaves, one comes, one is killed and restarted: each time at most all rejects are repeated.
  assert.ok(again.length <= 6 * rejects.length, `${again.length} rows were classified instead of ${rejects.length}`)
})
