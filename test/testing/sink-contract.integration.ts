/** `testSink`: our sinks pass it, and a sink that breaks a rule does not. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { splitRecords } from '../../connectors/csv/records.ts'
import { readFrames } from '../../connectors/tcp/frames.ts'
import type { Values } from '../../src/model.ts'
import { checkReadCsv } from '../../src/pandas/read-csv.ts'
import { type SinkContract, testSink } from '../../src/testing.ts'
import { testFolder } from '../helpers/cli.ts'
import type { Fault } from './sinks/faulty.ts'

const moduleOf = (name: string) => new URL(`./sinks/${name}.ts`, import.meta.url)

const { dialect } = checkReadCsv({}, null)
const rowsOf = (lines: string): Values[] => splitRecords(lines, { dialect, final: false, line: 1, name: 'output' }).rows

/** Outputs that are files of CSV lines. */
function files(t: TestContext): Pick<SinkContract, 'newOutput' | 'read'> {
  const folder = testFolder(t)
  let outputs = 0
  return {
    newOutput: () => join(folder, `out-${outputs++}.csv`),
    read: async path => (existsSync(path) ? rowsOf(readFileSync(path, 'utf8')) : null),
  }
}

test('a file has every row exactly once after a crash, and is hidden before completion', async t => {
  const promises = { afterCrash: 'exactly once', beforeCommit: 'nothing', locks: true } as const
  await testSink({ ...files(t), ...promises, module: moduleOf('file') })
})

test('a growing file has every row exactly once after a crash, and shows flushed rows', async t => {
  const promises = { afterCrash: 'exactly once', beforeCommit: 'rows', locks: true } as const
  await testSink({ ...files(t), ...promises, module: moduleOf('growing-file') })
})

test('standard output has every row at least once after a crash', async t => {
  const promises = { afterCrash: 'at least once', beforeCommit: 'rows', locks: false } as const
  await testSink({ ...files(t), ...promises, module: moduleOf('stdout') })
})

test('a TCP receiver gets every row at least once after a crash', async t => {
  const promises = { afterCrash: 'at least once', beforeCommit: 'rows', locks: false } as const
  const received = new Map<string, Values[]>()
  const newOutput = async () => {
    const rows: Values[] = []
    const server = createServer(async socket => {
      try {
        for await (const frames of readFrames(socket, 'receiver'))
          for (const frame of frames) rows.push(...rowsOf(`${Buffer.from(frame)}\n`))
      } catch {
        // Neither the end of the connection nor a reset is an end of input.
      }
    })
    t.after(() => server.close())
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const address = `tcp://127.0.0.1:${(server.address() as { port: number }).port}`
    received.set(address, rows)
    return address
  }
  await testSink({ ...promises, newOutput, read: async output => received.get(output)!, module: moduleOf('tcp') })
})

/** A sink that promises the most, with this fault. */
function faulty(t: TestContext, fault: Fault, more: Partial<SinkContract> = {}): SinkContract {
  const folder = testFolder(t)
  let outputs = 0
  return {
    module: moduleOf('faulty'),
    newOutput: () => join(folder, `out-${outputs++}.json#${fault}`),
    read: async path => (existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : null),
    afterCrash: 'exactly once',
    beforeCommit: 'nothing',
    locks: true,
    ...more,
  }
}

test('a sink without a fault passes', t => testSink(faulty(t, 'none')))

for (const [fault, rule] of [
  ['drops a row', 'a complete job has every row once, in order'],
  ['writes a row twice', 'a complete job has every row once, in order'],
  ['writes no file without rows', 'a job without results has no row'],
  ['fails when it is closed twice', 'close may come at any time, and twice'],
  ['leaves a file when it is closed', 'close may come at any time, and twice'],
  ['shows rows early', 'nothing is visible before commit'],
  ['takes a second sink', 'a second sink is refused while the first is open'],
  ['keeps its checkpoint in memory', 'a crash after a checkpoint loses and repeats no row'],
  ['keeps rows after the checkpoint', 'a crash after a checkpoint loses and repeats no row'],
  ['begins again after a checkpoint with the rows before it', 'a crash after a checkpoint loses and repeats no row'],
  ['keeps rows without a checkpoint', 'a crash before the first checkpoint leaves no row'],
  ['forgets its checkpoint when it is closed', 'close without commit keeps the checkpoint'],
  ['resumes although it was restarted', 'restart empties the output'],
  ['keeps its first note', 'a crash after a checkpoint loses and repeats no row'],
  ['keeps its first checkpoint', 'a crash after a checkpoint loses and repeats no row'],
  ['cuts long notes', 'close without commit keeps the checkpoint'],
  ['keeps the end of a longer note', 'a crash after a checkpoint loses and repeats no row'],
  ['takes a note for ASCII', 'close without commit keeps the checkpoint'],
  ['joins cells with commas', 'a complete job has every row once, in order'],
  ['ends cells at a line end', 'a complete job has every row once, in order'],
  ['trims cells', 'a complete job has every row once, in order'],
  ['drops empty cells', 'a complete job has every row once, in order'],
  ['drops rows with an empty cell', 'a complete job has every row once, in order'],
  ['takes cells for ASCII', 'a complete job has every row once, in order'],
  ['composes characters', 'a complete job has every row once, in order'],
  ['takes cells for numbers', 'a complete job has every row once, in order'],
  ['takes cells for null', 'a complete job has every row once, in order'],
  ['takes backslashes for escapes', 'a complete job has every row once, in order'],
  ['cuts long cells', 'a complete job has every row once, in order'],
  ['drops equal rows', 'a complete job has every row once, in order'],
  ['drops the last of packed rows', 'rows that come packed become the same output'],
  ['keeps the rows that it says it rewrites', 'a sink that says `rewrites` takes back what it wrote'],
  ['reads the last packed rows again when it commits', 'rows that come packed become the same output'],
] as const) {
  test(`a sink that ${fault} breaks the rule: ${rule}`, async t => {
    await assert.rejects(testSink(faulty(t, fault)), ({ message }) => message.includes(`\n- ${rule}: `))
  })
}

test('a sink that promises more than it keeps is detected', async t => {
  const shown = testSink(faulty(t, 'none', { beforeCommit: 'rows' }))
  await assert.rejects(shown, /^Error: the sink breaks its contract:\n- written rows are visible before commit: /)
  const again = testSink(faulty(t, 'none', { afterCrash: 'at least once' }))
  await assert.rejects(again, /- a crash loses no row: the note of open/)
})

test('a sink that restarts and loses rows is detected', async t => {
  const resumes = faulty(t, 'begins again after a checkpoint with the rows before it', { afterCrash: 'at least once' })
  await testSink(resumes) // its only effect is repeated rows
  const losing = { ...resumes, read: async (path: string) => (await resumes.read(path))?.slice(3) ?? null }
  await assert.rejects(testSink(losing), /- a crash loses no row: /)
})
