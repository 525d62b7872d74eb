/** The TCP connectors against plain Python programs, as users have them. */
import assert from 'node:assert/strict'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { TcpSink } from '../../connectors/tcp-sink.ts'
import { TcpSource, type TcpSourceOptions } from '../../connectors/tcp-source.ts'
import type { SinkHeader } from '../../src/connector.ts'
import type { Values } from '../../src/model.ts'
import { startProgram } from '../helpers/cli.ts'
import { freePort } from '../helpers/free-port.ts'
import { python } from '../helpers/python.ts'

const SENDER = join(import.meta.dirname, '../fixtures/tcp_sender.py')
const RECEIVER = join(import.meta.dirname, '../fixtures/tcp_receiver.py')
const ANY_PORT = { host: '127.0.0.1', port: 0 }

/** A source, and the port it listens on. The port is known after the call of `open`. */
function listening(t: TestContext, more: Partial<TcpSourceOptions> = {}) {
  const said: string[] = []
  const port = Promise.withResolvers<number>()
  const say = (message: string) => {
    said.push(message)
    const found = /^listening on tcp:\/\/\S+:(\d+) /.exec(message)
    if (found) port.resolve(Number(found[1]))
  }
  const source = new TcpSource({ address: ANY_PORT, readCsv: {}, delimiter: null, indexKind: null, say, ...more })
  t.after(() => source.close())
  return { source, said, port: port.promise }
}

async function readAll(source: TcpSource) {
  const { columns, ...header } = await source.open()
  const rows: Values[] = []
  const lines: number[] = []
  for await (const run of source.rows()) {
    rows.push(...run.rows)
    lines.push(...run.lines!)
  }
  return { columns, header, rows, lines }
}

/** A plain sender sends the lines; `how` are its flags. */
async function send(port: number, lines: readonly string[], ...how: string[]) {
  return startProgram(python, [SENDER, '127.0.0.1', String(port), ...how], { input: lines.join('\n') }).finished
}

test('each frame is one record, the first one the header; empty frames are skipped', async t => {
  const { source, said, port } = listening(t)
  const reading = readAll(source)
  const sending = send(await port, ['ID,A', '', '7,"x, ""y"""', '8,é', '', '9'])
  const { columns, header, rows, lines } = await reading
  assert.deepEqual(columns, ['ID', 'A'])
  assert.deepEqual([header.identity, header.total, header.indexKind], [null, null, 'text'])
  assert.deepEqual(rows, [['7', 'x, "y"'], ['8', 'é'], ['9']])
  assert.deepEqual(lines, [3, 4, 6])
  assert.match(said.join('\n'), /^listening on tcp:\/\/127\.0\.0\.1:\d+ for one sender\n.* taken as text/)
  await source.published()
  await source.close()
  const { code, stdout, stderr } = await sending
  assert.deepEqual([code, stdout], [0, 'closed\n'], stderr)
})

test('the arguments of read_csv act on the records', async t => {
  const { source, port } = listening(t, { readCsv: { names: ['ID', 'A'], quoting: 3 }, delimiter: ';' })
  const reading = readAll(source)
  await Promise.all([port.then(to => send(to, ['1;"x', '2;y"'])), reading.finally(() => source.close())])
  const { columns, rows } = await reading
  assert.deepEqual(
    [columns, rows],
    [
      ['ID', 'A'],
      [
        ['1', '"x'],
        ['2', 'y"'],
      ],
    ],
  )
})

test('rows of a slow sender arrive before it ends', async t => {
  const { source, port } = listening(t)
  const opening = source.open()
  const sending = send(await port, ['ID,A', '1,x', '2,y'], '--delay', '0.3')
  await opening
  const rows = source.rows()[Symbol.asyncIterator]()
  assert.deepEqual((await rows.next()).value.rows, [['1', 'x']])
  assert.deepEqual((await rows.next()).value.rows, [['2', 'y']])
  assert.equal((await rows.next()).done, true)
  await source.published()
  await source.close()
  assert.equal((await sending).stdout, 'closed\n')
})

for (const [what, lines, how, code, message] of [
  ['dies in the middle of a frame', ['ID,A', '1,x', '2,y'], ['--mid-frame'], 'INPUT_UNREADABLE', /middle of frame 3/],
  ['leaves without an end', ['ID,A', '1,x', '2,y'], ['--no-end'], 'INPUT_UNREADABLE', /after frame 3, without the/],
  ['announces 2 GB', ['ID,A', '1,x'], ['--announce', '2147483648'], 'INPUT_ROW_TOO_LARGE', /announces 2147483648 /],
  ['ends before a header', [''], [], 'INPUT_EMPTY', /has no header/],
  ['puts two records into a frame', ['ID,A\r1,x', '2,y'], [], 'INPUT_FIELDS', /frame 1 holds 2 records/],
  ['leaves a quote open', ['ID,A', '1,"x', '2,y"'], [], 'INPUT_QUOTE', /line 2/],
  ['has a row longer than its header', ['ID,A', '1,x', '2,y,z,z'], [], 'INPUT_FIELDS', /line 3/],
] as const) {
  test(`a sender that ${what} ends its job with ${code}, and no row is invented`, async t => {
    const { source, port } = listening(t)
    const rows: Values[] = []
    const reading = (async () => {
      await source.open()
      for await (const run of source.rows()) rows.push(...run.rows)
    })()
    const sending = port.then(to => send(to, lines, ...how))
    await assert.rejects(reading, { code, message })
    assert.ok(
      rows.every(row => lines.some(line => line === row.join(','))),
      JSON.stringify(rows),
    )
    await source.close()
    const { stdout } = await sending
    if (how.length === 0) assert.equal(stdout, 'reset\n')
  })
}

test('a sender whose rows were read to their end and not published sees a reset', async t => {
  const { source, port } = listening(t)
  const sending = port.then(to => send(to, ['ID,A', '1,x']))
  await readAll(source)
  await source.close()
  assert.equal((await sending).stdout, 'reset\n')
})

test('a second sender is refused: it would be another job', async t => {
  const { source, port } = listening(t)
  const opening = source.open()
  const to = await port
  const first = connect({ host: '127.0.0.1', port: to })
  t.after(() => first.destroy())
  first.write(Buffer.from('\0\0\0\x04ID,A\0\0\0\x031,x', 'latin1'))
  await opening
  const { code, stderr } = await send(to, ['ID,A'])
  assert.notEqual(code, 0)
  assert.match(stderr, /ConnectionRefusedError/)
})

test('a taken port and an address of another machine are reported', async t => {
  const first = listening(t)
  first.source.open().catch(() => {})
  const address = { host: '127.0.0.1', port: await first.port }
  await assert.rejects(listening(t, { address }).source.open(), { code: 'INPUT_UNREADABLE', message: /EADDRINUSE/ })
  const open = listening(t, { address: { host: '0.0.0.0', port: 0 } })
  const opening = open.source.open()
  opening.catch(() => {})
  await open.port
  assert.match(open.said[0]!, /for one sender\. Anybody who can reach this address can send the rows/)
})

const HEADER: SinkHeader = { columns: ['ID', 'A'], options: [{ name: 'toCsv', value: '{"header":true}' }] }
const SUMMARY = { job: 'j', rows: 3, rejects: 0, rowsOut: 3 }
const never = new AbortController().signal

/** A receiver that listens, and the lines that it prints. */
async function receiver(t: TestContext, ...how: string[]) {
  const { child, finished } = startProgram(python, [RECEIVER, ...how])
  t.after(() => child.kill())
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const port = Number((await lines.next()).value)
  return { address: { host: '127.0.0.1', port }, next: async () => (await lines.next()).value as string, finished }
}

test('each result is one frame, its rows joined by line ends, and a complete job ends the connection', async t => {
  const { address, next } = await receiver(t)
  const sink = new TcpSink({ address })
  assert.equal(await sink.open(), null)
  await sink.begin(HEADER)
  await sink.write([
    ['1', 'a,b'],
    ['2', 'é'],
  ])
  await sink.write([['3', '']])
  await sink.commit(SUMMARY, never)
  await sink.close()
  await sink.close()
  const frames = [await next(), await next(), await next()]
  assert.deepEqual(
    frames.map(frame => JSON.parse(frame)),
    ['ID,A', '1,"a,b"\n2,é', '3,'],
  )
  assert.equal(await next(), 'end')
})

test('an incomplete job resets the connection, and the sink says what the receiver got', async t => {
  const { address, next } = await receiver(t)
  const said: string[] = []
  const sink = new TcpSink({ address, say: message => said.push(message) })
  await sink.open()
  await sink.begin({ columns: ['ID'], options: [] })
  await sink.write([['1']])
  assert.equal(await next(), '"1"')
  await sink.close()
  assert.equal(await next(), 'reset')
  assert.match(
    said.join(),
    /was sent 1 frame, a part of the rows\. The same command sends all rows again, from the first$/,
  )
})

test('a receiver that disconnects ends the job; on its return it gets all rows from the first', async t => {
  const { address, next } = await receiver(t, '--leave-after', '1')
  const first = new TcpSink({ address })
  await first.open()
  await first.begin({ columns: ['ID'], options: [] })
  await first.write([['1']])
  assert.deepEqual([await next(), await next()], ['"1"', 'left'])
  const broken = (async () => {
    for (;;) await first.write([['2']]) // the system takes some frames before it notices the end
  })()
  await assert.rejects(broken, {
    code: 'OUTPUT_FAILED',
    message: /connection to tcp:\/\/127\.0\.0\.1:\d+ broke after \d+ frames/,
  })
  await first.close()
  const second = new TcpSink({ address })
  assert.equal(await second.open(), null)
  await second.begin({ columns: ['ID'], options: [] })
  for (const id of ['1', '2']) await second.write([[id]])
  await second.commit(SUMMARY, never)
  await second.close()
  assert.deepEqual([await next(), await next(), await next()], ['"1"', '"2"', 'end'])
})

test('without a receiver the sink says so, and the signal ends the wait for one that does not read', async t => {
  const absent = new TcpSink({ address: { host: '127.0.0.1', port: await freePort() } })
  await assert.rejects(absent.open(), { code: 'OUTPUT_UNUSABLE', message: /Start the receiver first/ })
  await absent.close()

  const stop = new AbortController()
  const server = createServer({ pauseOnConnect: true }, socket => t.after(() => socket.destroy()))
  t.after(() => server.close())
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port: deaf } = server.address() as AddressInfo
  const sink = new TcpSink({ address: { host: '127.0.0.1', port: deaf }, signal: stop.signal })
  await sink.open()
  await sink.begin({ columns: ['ID'], options: [] })
  const filling = (async () => {
    for (;;) await sink.write([['x'.repeat(100_000)]])
  })()
  setImmediate(() => stop.abort(new Error('enough')))
  await assert.rejects(filling, /enough/)
  await sink.close()
})
