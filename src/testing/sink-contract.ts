import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { extname } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Sink, SinkHeader } from '../connector.ts'
import type { Values } from '../model.ts'
import { checkRules, type Rule } from './rules.ts'
import type { Step } from './sink-process.ts'
import { NOTES, packed, ROWS } from './sink-rows.ts'

/** How to make a sink, and what it promises. */
export interface SinkContract {
  /**
   * The URL of a module whose default export makes a sink of an output: `(output: string) => Sink`. The suite uses it in
   * this process, and in processes that it kills.
   */
  readonly module: string | { readonly href: string }
  /** A name for an output that is not there yet. It is called for each rule. */
  newOutput(): string | Promise<string>
  /**
   * The rows that a reader of the output sees now, without a header. Null: there is nothing to see. Cells hold separators,
   * quotes, line ends and any other text, and must come back as they were.
   */
  read(output: string): Promise<readonly Values[] | null>
  /**
   * What a reader finds after a collector was killed and another one completed the job. A sink of `exactly once` resumes
   * at its last checkpoint. One of `at least once` begins again.
   */
  readonly afterCrash: 'exactly once' | 'at least once'
  /** What a reader sees before `commit`: nothing, or every row that was written and flushed. */
  readonly beforeCommit: 'nothing' | 'rows'
  /** Whether a second sink of the same output is refused while the first one is open. */
  readonly locks: boolean
  /** How long a rule may take, in milliseconds. Default: 60 s. */
  readonly patienceMs?: number
}

const HEADER: SinkHeader = { columns: ['ID', 'TEXT'], options: [] }
const FIRST = ROWS.slice(0, 2)
const NEXT = ROWS.slice(2, 4)
const THEN = ROWS.slice(4, 6)
const REST = ROWS.slice(2)
const [NOTE, SECOND_NOTE, THIRD_NOTE] = NOTES
const running = new AbortController().signal

/** Checks a sink against the contract `Sink`. Throws one error that lists every broken rule. */
export async function testSink(contract: SinkContract): Promise<void> {
  const { default: create } = (await import(hrefOf(contract))) as { default: (output: string) => Sink }
  await checkRules('the sink', rulesOf({ ...contract, create }), contract.patienceMs)
}

function hrefOf({ module }: Pick<SinkContract, 'module'>): string {
  return typeof module === 'string' ? module : module.href
}

type Tested = SinkContract & { create(output: string): Sink }

function rulesOf(tested: Tested): Rule[] {
  const { afterCrash, beforeCommit, locks } = tested
  const rule = (name: string, check: (tested: Tested, output: string) => Promise<void>): Rule => [
    name,
    async () => check(tested, await tested.newOutput()),
  ]
  const rules = [
    rule('a complete job has every row once, in order', checkComplete),
    rule('a job without results has no row', checkEmpty),
    rule('close may come at any time, and twice', checkClose),
    rule('a sink that says `rewrites` takes back what it wrote', checkRewrite),
    rule('rows that come packed become the same output', checkPacked),
  ]
  if (beforeCommit === 'nothing') rules.push(rule('nothing is visible before commit', checkHidden))
  else rules.push(rule('written rows are visible before commit', checkVisible))
  if (locks) rules.push(rule('a second sink is refused while the first is open', checkLock))
  if (afterCrash === 'at least once') return [...rules, rule('a crash loses no row', checkAtLeastOnce)]
  return [
    ...rules,
    rule('a crash after a checkpoint loses and repeats no row', checkExactlyOnce),
    rule('a crash before the first checkpoint leaves no row', checkNoCheckpoint),
    rule('close without commit keeps the checkpoint', checkKept),
    rule('restart empties the output', checkRestart),
  ]
}

async function using<T>(sink: Sink, act: (sink: Sink) => Promise<T>): Promise<T> {
  try {
    return await act(sink)
  } finally {
    await sink.close()
  }
}

/** Begins or resumes the output, which must have this note, and completes it with these rows. */
async function complete(
  { create }: Tested,
  output: string,
  { note, rows }: { note: string | null; rows: readonly Values[] },
): Promise<void> {
  await using(create(output), async sink => {
    assert.equal(await sink.open(), note, 'the note of open')
    await sink.begin(HEADER)
    for (const row of rows) await sink.write([row])
    await sink.commit({ job: 'test', rows: ROWS.length, rejects: 0, rowsOut: ROWS.length }, running)
  })
}

async function checkComplete(tested: Tested, output: string): Promise<void> {
  await complete(tested, output, { note: null, rows: ROWS })
  assert.deepEqual(await tested.read(output), ROWS)
}

async function checkEmpty({ create, read }: Tested, output: string): Promise<void> {
  await using(create(output), async sink => {
    await sink.open()
    await sink.begin(null)
    await sink.commit({ job: 'test', rows: 0, rejects: 0, rowsOut: 0 }, running)
  })
  assert.deepEqual(await read(output), [])
}

async function checkClose({ create, read, beforeCommit }: Tested, output: string): Promise<void> {
  await create(output).close()
  const sink = create(output)
  await sink.open()
  await sink.close()
  await sink.close()
  if (beforeCommit === 'nothing') assert.equal(await read(output), null, 'what close left')
}

async function checkHidden({ create, read }: Tested, output: string): Promise<void> {
  await using(create(output), async sink => {
    await sink.open()
    await sink.begin(HEADER)
    await sink.write(FIRST)
    await sink.checkpoint(NOTE)
    assert.equal(await read(output), null, 'after a checkpoint')
  })
  assert.equal(await read(output), null, 'after close')
}

async function checkVisible({ create, read }: Tested, output: string): Promise<void> {
  await using(create(output), async sink => {
    await sink.open()
    await sink.begin(HEADER)
    await sink.write(FIRST)
    await sink.flush?.()
    let seen: readonly Values[] | null = null
    for (let tries = 0; tries < 100 && seen?.length !== FIRST.length; tries++) {
      seen = await read(output)
      await delay(10) // nobody tells when a reader sees them
    }
    assert.deepEqual(seen, FIRST)
  })
}

async function checkLock({ create }: Tested, output: string): Promise<void> {
  await using(create(output), async first => {
    await first.open()
    await using(create(output), second => assert.rejects(second.open(), { code: 'OUTPUT_LOCKED' }))
    await first.begin(HEADER)
    await first.write(FIRST)
  })
}

async function checkExactlyOnce(tested: Tested, output: string): Promise<void> {
  const twice = [{ write: FIRST }, { checkpoint: NOTE }, { write: NEXT }, { checkpoint: SECOND_NOTE }]
  await crash(tested, output, [...twice, { write: THEN }, { flush: true }])
  const more = ROWS.slice(6, 8)
  await crash(tested, output, [{ write: THEN }, { checkpoint: THIRD_NOTE }, { write: more }, { flush: true }])
  await complete(tested, output, { note: THIRD_NOTE, rows: ROWS.slice(6) })
  assert.deepEqual(await tested.read(output), ROWS)
}

async function checkNoCheckpoint(tested: Tested, output: string): Promise<void> {
  await crash(tested, output, [{ write: NEXT }, { flush: true }])
  await complete(tested, output, { note: null, rows: ROWS })
  assert.deepEqual(await tested.read(output), ROWS)
}

async function checkAtLeastOnce(tested: Tested, output: string): Promise<void> {
  await crash(tested, output, [{ write: FIRST }, { checkpoint: NOTE }, { write: NEXT }])
  await complete(tested, output, { note: null, rows: ROWS })
  const seen = await tested.read(output)
  assert.deepEqual(seen?.slice(-ROWS.length), ROWS)
}

async function checkKept(tested: Tested, output: string): Promise<void> {
  await begin(tested, output, async () => {})
  await complete(tested, output, { note: NOTE, rows: REST })
  assert.deepEqual(await tested.read(output), ROWS)
}

async function checkRestart(tested: Tested, output: string): Promise<void> {
  await begin(tested, output, async () => {})
  await using(tested.create(output), async sink => {
    await sink.open()
    await sink.restart()
    await sink.begin(HEADER)
    await sink.write(NEXT)
    await sink.commit({ job: 'test', rows: NEXT.length, rejects: 0, rowsOut: NEXT.length }, running)
  })
  assert.deepEqual(await tested.read(output), NEXT)
}

async function checkRewrite({ create, read }: Tested, output: string): Promise<void> {
  await using(create(output), async sink => {
    if (!sink.rewrites) return
    await sink.open()
    await sink.begin(HEADER)
    await sink.write(FIRST)
    await sink.checkpoint(NOTE)
    await sink.write(NEXT)
    await sink.restart()
    await sink.begin(HEADER)
    await sink.write(THEN)
    await sink.commit({ job: 'test', rows: THEN.length, rejects: 0, rowsOut: THEN.length }, running)
    assert.deepEqual(await read(output), THEN)
  })
}

async function checkPacked({ create, read }: Tested, output: string): Promise<void> {
  await using(create(output), async sink => {
    if (!sink.writePacked) return
    await sink.open()
    await sink.begin(HEADER)
    await sink.writePacked(packed(FIRST))
    await sink.write(NEXT)
    const rows = packed(REST.slice(NEXT.length))
    await sink.writePacked(rows)
    rows.bytes.fill(0) // the bytes must not be kept
    await sink.commit({ job: 'test', rows: ROWS.length, rejects: 0, rowsOut: ROWS.length }, running)
    assert.deepEqual(await read(output), ROWS)
  })
}

async function begin({ create }: Tested, output: string, then: (sink: Sink) => Promise<void>): Promise<void> {
  await using(create(output), async sink => {
    await sink.open()
    await sink.begin(HEADER)
    await sink.write(FIRST)
    await sink.checkpoint(NOTE)
    await then(sink)
  })
}

/** Opens the sink in a process of its own, which takes these steps and is then killed. */
async function crash({ module }: Tested, output: string, steps: readonly Step[]): Promise<void> {
  const program = fileURLToPath(new URL(`./sink-process${extname(import.meta.filename)}`, import.meta.url))
  const given = JSON.stringify({ module: hrefOf({ module }), output, header: HEADER, steps })
  const child = spawn(process.execPath, [program, given], { stdio: ['ignore', 'ignore', 'pipe'] })
  const [said, signal] = await Promise.all([
    text(child.stderr),
    new Promise<NodeJS.Signals | null>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (_, how) => resolve(how))
    }),
  ])
  assert.equal(signal, 'SIGKILL', `the process that is to be killed ended by itself: ${said}`)
}
