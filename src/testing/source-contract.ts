import assert from 'node:assert/strict'
import type { PackedSourceRows, Source, SourceRows } from '../connector.ts'
import { RowmillError } from '../errors.ts'
import type { Values } from '../model.ts'
import { INDEX_KINDS } from '../pandas/index-kind.ts'
import { digestOf, SOURCE_DIGEST } from '../pipeline/source-identity.ts'
import { RowCursor } from '../wire/row-cursor.ts'
import { checkRules, type Rule } from './rules.ts'

type NewSource = Source | Promise<Source>

/** How to make a source, and what it promises. What cannot be made is left out: its rule is not checked then. */
export interface SourceContract {
  /** Makes a new source over the same input. It is called for each rule. */
  create(): NewSource
  /** The header of that input. */
  readonly columns: readonly string[]
  /** The rows of that input, at least two. */
  readonly rows: readonly Values[]
  /** Whether another source over the same input can resume a job. */
  readonly resumable: boolean
  /** Makes a source over other input. A job must not resume with it. */
  createOther?(): NewSource
  /** Makes a source whose input breaks after some of `rows`. */
  createBroken?(): NewSource
  /** Makes a source whose `open` must fail. */
  createUnusable?(): NewSource
  /** Makes a source that waits for input that does not come. */
  createWaiting?(): NewSource
  /** How long a call may take, in milliseconds. Default: 60 s. */
  readonly patienceMs?: number
}

/**
 * Checks a source against the contract `Source`. Throws one error that lists every broken rule. It cannot see how far a
 * source reads ahead.
 */
export async function testSource(contract: SourceContract): Promise<void> {
  await checkRules('the source', rulesOf(contract), contract.patienceMs)
}

function rulesOf(contract: SourceContract): Rule[] {
  const { create, createOther, createBroken, createUnusable, createWaiting } = contract
  const rules: Rule[] = [
    ['open gives the header', () => using(create(), source => checkHeader(source, contract))],
    ['rows come once, in order, with growing lines', () => using(create(), source => checkRows(source, contract))],
    ['packed yields the rows of rows', () => checkPacked(contract)],
    ['close may come at any time, and twice', () => checkClose(contract)],
    ['the promise about resuming holds', () => checkResuming(contract)],
  ]
  if (createOther) rules.push(['other input is told apart', () => checkOther(create(), createOther())])
  if (createBroken) {
    rules.push(['broken input is an error, never an end', () => using(createBroken(), s => checkBroken(s, contract))])
  }
  if (createUnusable) {
    rules.push([
      'open throws a RowmillError for unusable input',
      () => using(createUnusable(), source => assert.rejects(source.open(), RowmillError)),
    ])
  }
  if (createWaiting) rules.push(['close ends a call that waits', () => checkWaiting(createWaiting())])
  return rules
}

async function using<T>(made: NewSource, act: (source: Source) => Promise<T>): Promise<T> {
  const source = await made
  try {
    return await act(source)
  } finally {
    await source.close()
  }
}

async function checkHeader(source: Source, { columns, rows }: SourceContract): Promise<void> {
  const counts: number[] = []
  const header = await source.open(count => counts.push(count))
  assert.deepEqual(header.columns, columns)
  const kinds: readonly (string | null)[] = [...INDEX_KINDS, null]
  assert.ok(kinds.includes(header.indexKind), `indexKind is ${header.indexKind}`)
  if (header.total !== null) assert.equal(header.total, rows.length, 'total')
  for (const { name, value } of header.options) assert.deepEqual([typeof name, typeof value], ['string', 'string'])
  const rising = counts.every((count, i) => count >= (counts[i - 1] ?? 0) && count <= rows.length)
  assert.ok(rising, `counted was told ${counts.join(', ')}`)
}

async function checkRows(source: Source, { rows }: SourceContract): Promise<void> {
  await source.open()
  assert.deepEqual((await readRows(source)).rows, rows)
  await source.published?.()
}

async function readRows(source: Source): Promise<SourceRows> {
  const found: Values[] = []
  const lines: number[] = []
  for await (const piece of source.rows()) {
    assert.ok(piece.rows.length > 0, 'a piece without rows')
    found.push(...piece.rows)
    if (piece.lines === null) continue
    assert.equal(piece.lines.length, piece.rows.length, 'a piece with as many lines as rows')
    for (const line of piece.lines) {
      const last = lines.at(-1) ?? 0
      assert.ok(Number.isSafeInteger(line) && line > last, `line ${line} after line ${last}`)
      lines.push(line)
    }
  }
  return { rows: found, lines }
}

async function checkPacked({ create, rows }: SourceContract): Promise<void> {
  const found: Values[] = []
  await using(create(), async source => {
    if (!source.packed) return
    await source.open()
    for await (const piece of source.packed()) found.push(...textsOf(piece))
    assert.deepEqual(found, rows)
  })
}

function textsOf(piece: SourceRows | PackedSourceRows): readonly Values[] {
  if ('rows' in piece) return piece.rows
  const row = new RowCursor(piece.packed)
  const rows: Values[] = []
  while (row.next()) rows.push(row.values())
  assert.equal(row.end, row.bytes.length, 'the bytes of a packed piece are those of its rows')
  return rows
}

async function checkClose({ create }: SourceContract): Promise<void> {
  const unopened = await create()
  await unopened.close()
  const source = await create()
  await source.open()
  for await (const _ of source.rows()) break
  await source.close()
  await source.close()
}

async function checkResuming({ create, rows, resumable }: SourceContract): Promise<void> {
  if (!resumable) {
    const { identity } = await using(create(), source => source.open())
    return assert.equal(identity, null, 'a source that cannot resume has no identity')
  }
  const readAll = async (source: Source) => ({ header: await source.open(), ...(await readRows(source)) })
  const first = await using(create(), readAll)
  const { header } = first
  assert.deepEqual(first.rows, rows, 'the rows of another source over the same input')
  assert.ok(header.identity, 'a source that can resume has an identity')
  const digest = digestOf(header.options)
  if (digest !== null) assert.match(digest, /^sha256:[0-9a-f]{64}$/, SOURCE_DIGEST)
  for (const which of ['second', 'third']) {
    const again = await using(create(), readAll)
    assert.deepEqual(again, first, `header, rows and lines of a ${which} source over the same input`)
  }
}

async function checkOther(made: NewSource, other: NewSource): Promise<void> {
  const [header, otherHeader] = await Promise.all([made, other].map(each => using(each, source => source.open())))
  const known = ({ identity, options }: typeof header & {}) => digestOf(options) ?? identity
  assert.notDeepEqual(known(otherHeader!), known(header!))
}

async function checkBroken(source: Source, { rows }: SourceContract): Promise<void> {
  const found: Values[] = []
  const reading = async () => {
    await source.open()
    for await (const piece of source.rows()) found.push(...piece.rows)
  }
  await assert.rejects(reading(), RowmillError)
  assert.deepEqual(found, rows.slice(0, found.length), 'only rows before the break')
}

async function checkWaiting(made: NewSource): Promise<void> {
  const source = await made
  const waiting = (async () => {
    await source.open()
    for await (const _ of source.rows());
  })()
  const ended = waiting.catch(() => {})
  await new Promise(setImmediate)
  await source.close()
  await ended
}
