import assert from 'node:assert/strict'
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { abandonRun, keptFiles, keptFolder, noteRun, runsIn } from '../../src/broker/kept/kept-folder.ts'
import { testFolder } from '../helpers/cli.ts'

const NEEDED = { needed: ['mine'], abandoned: [] }
const ABANDONED = { needed: [], abandoned: ['mine'] }

test('a run whose process has ended is needed until its file is gone or names another run', async t => {
  const { kept, runFile, end } = await noted(t)
  assert.deepEqual(await runsIn(kept), NEEDED)
  end()
  assert.deepEqual(await runsIn(kept), NEEDED)
  writeFileSync(runFile, '{"pipeline":"other"}')
  assert.deepEqual(await runsIn(kept), ABANDONED)
  rmSync(runFile)
  assert.deepEqual(await runsIn(kept), ABANDONED)
})

test('nobody needs a run that is complete, although its process and its file are still there', async t => {
  const { kept } = await noted(t)
  await abandonRun(kept, 'mine')
  assert.deepEqual(await runsIn(kept), ABANDONED)
})

test('a note that is open stays as it was while a new one is written: nobody reads a part of one', async t => {
  const { kept, note } = await noted(t)
  const before = readFileSync(note, 'utf8')
  const open = openSync(note, 'r')
  try {
    await abandonRun(kept, 'mine')
    assert.equal(readFileSync(open, 'utf8'), before)
  } finally {
    closeSync(open)
  }
})

test('a run is needed although its folder is missing, if that was on a disk that is not mounted now', async t => {
  const { kept, runFile, end } = await noted(t)
  rmSync(dirname(dirname(runFile)), { recursive: true })
  end({ device: -1 })
  assert.deepEqual(await runsIn(kept), NEEDED)
})

test('a run is discarded if its folder was removed from the disk', async t => {
  const { kept, runFile, end } = await noted(t)
  rmSync(dirname(dirname(runFile)), { recursive: true })
  end()
  assert.deepEqual(await runsIn(kept), ABANDONED)
})

test('another version of rowmill has a folder of its own', () => {
  const env = { XDG_STATE_HOME: '/state' }
  assert.equal(keptFolder('1.0.0', env), keptFolder('1.0.0', env))
  assert.notEqual(keptFolder('1.0.0', env), keptFolder('1.0.1', env))
})

/** A note of a run. `end` changes it as if the process of the run had ended. */
async function noted(t: TestContext) {
  const folder = testFolder(t)
  const [kept, runFile] = [join(folder, 'kept'), join(folder, 'mounted', 'out.csv.rowmill', 'run.json')]
  mkdirSync(dirname(runFile), { recursive: true })
  writeFileSync(runFile, '{"pipeline":"mine"}')
  await noteRun(kept, 'mine', runFile)
  const note = join(keptFiles(kept).runs, 'mine.json')
  const end = (more: { device?: number } = {}) =>
    writeFileSync(
      note,
      JSON.stringify({ ...JSON.parse(readFileSync(note, 'utf8')), owner: { pid: 0, start: '' }, ...more }),
    )
  return { kept, runFile, note, end }
}
