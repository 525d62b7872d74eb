/** `testSource`: our sources pass it, and a source that breaks a rule does not. */
import assert from 'node:assert/strict'
import { utimesSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { CsvSource } from '../../connectors/csv-source.ts'
import { TcpSource } from '../../connectors/tcp-source.ts'
import type { PackedSourceRows, Source, SourceHeader, SourceRows } from '../../src/connector.ts'
import { RowmillError } from '../../src/errors.ts'
import type { Values } from '../../src/model.ts'
import { frameOf } from '../../src/support/frame.ts'
import { packed } from '../../src/testing/sink-rows.ts'
import { type SourceContract, testSource } from '../../src/testing.ts'
import { testFolder } from '../helpers/cli.ts'

const columns = ['ID', 'A']
const rows: Values[] = [['1', 'x'], ['2', 'y'], ['3']]
const TEXT = 'ID,A\n1,x\n2,y\n3\n'

function csv(path: string, stdin?: Readable): CsvSource {
  const options = { path, readCsv: {}, delimiter: null, indexKind: null }
  return new CsvSource(stdin ? { ...options, stdin } : options)
}

test('a CSV file can be resumed, and is told apart from another of the same name, size and time', async t => {
  const folder = testFolder(t)
  const file = (content: string) => () => {
    const path = join(folder, 'in.csv')
    writeFileSync(path, content)
    utimesSync(path, 1, 1)
    return csv(path)
  }
  await testSource({
    ...{ columns, rows, resumable: true },
    create: file(TEXT),
    createBroken: file('ID,A\n1,x\n2,"y\n'),
    createUnusable: () => csv(join(folder, 'not-there.csv')),
  })
  const [one, other] = ['one', 'other'].map(name => join(folder, name))
  const same = (path: string, content: string) => () => {
    writeFileSync(path, content)
    utimesSync(path, 1, 1)
    return csv(path)
  }
  const contract = { columns, rows, resumable: true, create: same(one!, TEXT) }
  await testSource({ ...contract, createOther: same(other!, TEXT.replace('y', 'z')) })
  await assert.rejects(testSource({ ...contract, createOther: same(other!, TEXT) }), /- other input is told apart: /)
})

test('standard input cannot be resumed', async () => {
  const input = (...pieces: string[]) => csv('-', Readable.from(pieces.map(piece => Buffer.from(piece))))
  await testSource({
    ...{ columns, rows, resumable: false },
    create: () => input(TEXT.slice(0, 7), TEXT.slice(7)),
    createBroken: () => input('ID,A\n1,x\n2,y\n3,z,z\n'),
    createUnusable: () => input(''),
    createWaiting: () => csv('-', new Readable({ read() {} })),
  })
})

test('a TCP sender cannot be resumed', async t => {
  const end = Buffer.from([0, 0, 0, 1, 4])
  const sent = ['ID,A', '1,x', '2,y', '3'].map(frameOf)
  await testSource({
    ...{ columns, rows, resumable: false },
    create: () => sender(t, Buffer.concat([...sent, end])),
    createBroken: () => sender(t, Buffer.concat(sent).subarray(0, -1)),
    createUnusable: () => sender(t, end),
    createWaiting: () => sender(t, null),
  })
})

/** A source to which these bytes are sent once it listens; null: nobody connects. */
function sender(t: TestContext, bytes: Buffer | null): TcpSource {
  const say = (message: string) => {
    const port = /^listening on tcp:\/\/127\.0\.0\.1:(\d+) /.exec(message)?.[1]
    if (port === undefined || bytes === null) return
    const socket = connect(Number(port), '127.0.0.1', () => socket.end(bytes))
    socket.on('error', () => {}) // a source that is closed early resets it
    t.after(() => socket.destroy())
  }
  return new TcpSource({ address: { host: '127.0.0.1', port: 0 }, readCsv: {}, delimiter: null, indexKind: null, say })
}

/** A source that keeps the contract, unless something is replaced. */
class InMemory implements Source {
  readonly #header: SourceHeader = {
    columns,
    indexKind: 'integer',
    identity: { name: 'memory', size: 3, mtimeMs: 1 },
    total: 3,
    options: [{ name: 'sourceDigest', value: `sha256:${'0'.repeat(64)}` }],
  }

  async open(counted: (rows: number) => void = () => {}): Promise<SourceHeader> {
    counted(3)
    return this.#header
  }

  async *rows(): AsyncGenerator<SourceRows> {
    yield { rows: rows.slice(0, 2), lines: [2, 3] }
    yield { rows: rows.slice(2), lines: [4] }
  }

  async close(): Promise<void> {}
}

/** A contract of sources that differ from a right one in these members. */
function faulty(member: Partial<Source>, more: Partial<SourceContract> = {}): SourceContract {
  const create = () => Object.assign(new InMemory(), member)
  return { create, columns, rows, resumable: true, ...more }
}

const open = (more: Partial<SourceHeader>) => ({ open: async () => ({ ...(await new InMemory().open()), ...more }) })
const yields = (...runs: SourceRows[]) => ({
  async *rows() {
    yield* runs
  },
})
const throwing = (error: Error) => ({
  async *rows(): AsyncGenerator<SourceRows> {
    yield { rows: rows.slice(0, 1), lines: [2] }
    throw error
  },
})
const BROKEN = new RowmillError('INPUT_FIELDS', 'line 3')
let closed = 0
let opened = 0

/** A contract of sources with one header, whose rows change after a whole and a broken-off read. */
function changing(rowsOf: (read: number) => readonly Values[], { line = 2 } = {}): SourceContract {
  let reads = 0
  return faulty({
    async *rows() {
      const [found, from] = ++reads <= 3 ? [rows, 2] : [rowsOf(reads), line]
      if (found.length > 0) yield { rows: found, lines: found.map((_, i) => from + i) }
    },
  })
}

const OTHER = rows.map(([id]) => [id!, 'other'])

const CONTROLS: readonly (readonly [fault: string, rule: string, SourceContract])[] = [
  ['names other columns', 'open gives the header', faulty(open({ columns: ['ID'] }))],
  ['invents a kind of index', 'open gives the header', faulty(open({ indexKind: 'number' }))],
  ['counts wrongly', 'open gives the header', faulty(open({ total: 4 }))],
  [
    'counts backwards',
    'open gives the header',
    faulty({
      open: async counted => {
        for (const count of [2, 1]) counted?.(count)
        return await new InMemory().open()
      },
    }),
  ],
  ['loses a row', 'rows come once', faulty(yields({ rows: rows.slice(0, 2), lines: [2, 3] }))],
  ['repeats a row', 'rows come once', faulty(yields({ rows: [...rows, rows[2]!], lines: [2, 3, 4, 5] }))],
  ['swaps rows', 'rows come once', faulty(yields({ rows: [rows[1]!, rows[0]!, rows[2]!], lines: [2, 3, 4] }))],
  ['yields no row', 'rows come once', faulty(yields({ rows: [], lines: [] }, { rows, lines: [2, 3, 4] }))],
  ['forgets a line', 'rows come once', faulty(yields({ rows, lines: [2, 3] }))],
  ['counts lines down', 'rows come once', faulty(yields({ rows, lines: [4, 3, 2] }))],
  [
    'fails when it is closed twice',
    'close may come at any time',
    faulty({
      close: async () => {
        if (++closed % 2 === 0) throw new Error('closed already')
      },
    }),
  ],
  ['never closes', 'close may come at any time', faulty({ close: () => new Promise(() => {}) }, { patienceMs: 50 })],
  [
    'fails when it learns that its rows were published',
    'rows come once',
    faulty({ published: () => Promise.reject(new Error('cannot confirm')) }),
  ],
  ['has no identity', 'the promise about resuming', faulty(open({ identity: null }))],
  ['has an identity and cannot resume', 'the promise about resuming', faulty({}, { resumable: false })],
  [
    'has another header each time',
    'the promise about resuming',
    faulty({
      open: async () => ({ ...(await new InMemory().open()), identity: { name: 'x', size: ++opened, mtimeMs: 1 } }),
    }),
  ],
  ['gives fewer rows the next time', 'the promise about resuming', changing(() => rows.slice(0, 2))],
  ['gives no row the next time', 'the promise about resuming', changing(() => [])],
  ['gives its rows in another order the next time', 'the promise about resuming', changing(() => rows.toReversed())],
  ['gives another cell the third time', 'the promise about resuming', changing(read => (read === 5 ? OTHER : rows))],
  ['gives other lines the next time', 'the promise about resuming', changing(() => rows, { line: 3 })],
  [
    'has a digest of no known form',
    'the promise about resuming',
    faulty(open({ options: [{ name: 'sourceDigest', value: 'md5:0' }] })),
  ],
  [
    'packs other rows than it has',
    'packed yields the rows of rows',
    faulty({
      async *packed(): AsyncGenerator<SourceRows | PackedSourceRows> {
        yield { rows: rows.slice(0, 2), lines: null }
        yield { packed: packed([['3', '']]), lines: null }
      },
    }),
  ],
  ['has one digest for all input', 'other input is told apart', faulty({}, { createOther: () => new InMemory() })],
  ['ends where its input breaks', 'broken input is an error', faulty({}, { createBroken: () => new InMemory() })],
  [
    'throws any error for broken input',
    'broken input is an error',
    faulty({}, { createBroken: () => Object.assign(new InMemory(), throwing(new TypeError('oops'))) }),
  ],
  [
    'makes up a row before the break',
    'broken input is an error',
    faulty(
      {},
      {
        createBroken: () =>
          Object.assign(new InMemory(), {
            async *rows(): AsyncGenerator<SourceRows> {
              yield { rows: [['9', 'made up']], lines: [2] }
              throw BROKEN
            },
          }),
      },
    ),
  ],
  ['opens unusable input', 'open throws a RowmillError', faulty({}, { createUnusable: () => new InMemory() })],
  [
    'waits on after it was closed',
    'close ends a call that waits',
    faulty(
      {},
      { createWaiting: () => Object.assign(new InMemory(), { open: () => new Promise(() => {}) }), patienceMs: 50 },
    ),
  ],
]

test('a source without a fault passes', () =>
  testSource(faulty({}, { createBroken: () => Object.assign(new InMemory(), throwing(BROKEN)) })))

for (const [fault, rule, contract] of CONTROLS) {
  test(`a source that ${fault} breaks the rule: ${rule}`, async () => {
    await assert.rejects(testSource(contract), ({ message }) => message.includes(`\n- ${rule}`))
  })
}
