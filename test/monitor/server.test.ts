import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { healthRoute } from '../../src/monitor/health.ts'
import { type MonitorServer, openServer, type Route, type ServerOptions } from '../../src/monitor/server.ts'
import { untilAborted } from '../../src/support/abort.ts'
import { ask, begin } from '../helpers/http.ts'

const HELLO: Route = { method: 'GET', path: '/hello', answer: () => ({ body: 'hello\n' }) }
const TOKEN = '0123456789abcdef-0123'

async function serve(t: TestContext, given: Partial<ServerOptions> = {}): Promise<MonitorServer> {
  const rest = { address: '127.0.0.1', port: 0, token: null, names: [], routes: [HELLO], say: () => {} }
  const server = await openServer({ ...rest, ...given })
  t.after(() => server.close())
  return server
}

test('a route answers GET with its body, and HEAD with the same headers and no body', async t => {
  const { url } = await serve(t)
  const got = await ask(`${url}/hello?a=1`)
  assert.deepEqual([got.status, got.body], [200, 'hello\n'])
  assert.equal(got.headers['content-type'], 'text/plain; charset=utf-8')
  assert.equal(got.headers['cache-control'], 'no-store')
  const head = await ask(`${url}/hello`, { method: 'HEAD' })
  assert.deepEqual([head.status, head.body, head.headers['content-length']], [200, '', '6'])
})

test('requests that share a connection leave no listener behind', async t => {
  const { url } = await serve(t)
  const warnings: string[] = []
  const warn = ({ message }: Error) => warnings.push(message)
  process.on('warning', warn)
  t.after(() => process.off('warning', warn))
  for (let count = 0; count < 20; count++) assert.equal(await (await fetch(`${url}/hello`)).text(), 'hello\n')
  assert.deepEqual(warnings, [])
})

test('an unknown path is 404 and names those that exist; another method is 405', async t => {
  const { url } = await serve(t)
  const missing = await ask(`${url}/toString`)
  assert.deepEqual([missing.status, missing.body], [404, 'nothing is at /toString. There is /hello\n'])
  const posted = await ask(`${url}/hello`, { method: 'POST' })
  assert.deepEqual([posted.status, posted.headers.allow], [405, 'GET, HEAD'])
})

test('a route that is added later answers; one that throws is 500 without its message, which is logged', async t => {
  const said: string[] = []
  const server = await serve(t, { routes: [], say: text => said.push(text) })
  const fail = async () => {
    throw new Error('secret')
  }
  assert.equal((await ask(`${server.url}/hello`)).status, 404)
  server.add([HELLO, { ...HELLO, path: '/fails', answer: fail }])
  assert.equal((await ask(`${server.url}/hello`)).status, 200)
  const { status, body } = await ask(`${server.url}/fails`)
  assert.deepEqual([status, body], [500, 'rowmill cannot answer this: its log says why\n'])
  assert.deepEqual(said, ['cannot answer GET /fails: secret'])
})

const HOSTS: [string, number][] = [
  ['127.0.0.1:7696', 200],
  ['localhost', 200],
  ['LOCALHOST:80', 200],
  ['app.localhost:7696', 200],
  ['[::1]:7696', 200],
  ['10.1.2.3', 200],
  ['mill.example:7696', 200],
  ['evil.example', 403],
  ['127.0.0.1.evil.example', 403],
  ['localhost.evil.example:7696', 403],
  ['evil.example@127.0.0.1', 403],
  ['evil.example#localhost', 403],
  ['mill.example.evil.example', 403],
]

test('a request by a name that is not ours is refused, so a name that resolves to loopback reads nothing', async t => {
  const { url } = await serve(t, { names: ['Mill.example'] })
  for (const [host, status] of HOSTS) {
    const answer = await ask(`${url}/hello`, { headers: { host } })
    assert.equal(answer.status, status, host)
    if (status === 403) assert.match(answer.body, /is not known here as .*--metrics-allowed-host NAME\n$/)
  }
})

test('a page of another site gets nothing, and the own page does, also behind a proxy with a certificate', async t => {
  const { url } = await serve(t, { names: ['mill.example'] })
  const asked = async (host: string, origin: string) =>
    (await ask(`${url}/hello`, { headers: { host, origin } })).status
  assert.equal(await asked('127.0.0.1:7696', 'http://127.0.0.1:7696'), 200)
  assert.equal(await asked('mill.example', 'https://mill.example'), 200)
  assert.equal(await asked('mill.example:80', 'http://mill.example'), 200)
  assert.equal(await asked('127.0.0.1:7696', 'http://evil.example'), 403)
  assert.equal(await asked('127.0.0.1:7696', 'http://127.0.0.1:8080'), 403)
  assert.equal(await asked('127.0.0.1:7696', 'null'), 403)
})

test('with a token every path needs it, as a bearer or as the password of any user, except for an open path', async t => {
  const live = healthRoute('/livez', () => ({ isGood: false, reason: 'rows of job orders wait' }))
  const { url } = await serve(t, { token: TOKEN, routes: [HELLO, live] })
  const asked = (authorization?: string, path = '/hello') =>
    ask(url + path, { headers: authorization === undefined ? {} : { authorization } })
  const basic = (userinfo: string) => `Basic ${Buffer.from(userinfo).toString('base64')}`
  for (const right of [`Bearer ${TOKEN}`, `bearer  ${TOKEN}`, basic(`me:${TOKEN}`), basic(`:${TOKEN}`)])
    assert.equal((await asked(right)).status, 200, right)
  const wrong = [undefined, '', TOKEN, 'Bearer', `Bearer ${TOKEN}x`, `Bearer ${TOKEN.slice(1)}`, `Digest ${TOKEN}`]
  for (const authorization of [...wrong, basic(TOKEN.slice(0, 9)), basic(`${TOKEN}:`)]) {
    const answer = await asked(authorization)
    assert.equal(answer.status, 401, authorization)
    assert.equal(answer.headers['www-authenticate'], 'Basic realm="rowmill", charset="UTF-8", Bearer realm="rowmill"') // Node joins two lines
    assert.equal((await asked(authorization, '/toString')).status, 401)
  }
  const open = await asked(undefined, '/livez')
  assert.deepEqual([open.status, open.body], [503, 'not live\n'])
  const told = await asked(`Bearer ${TOKEN}`, '/livez')
  assert.deepEqual([told.status, told.body], [503, 'not live: rows of job orders wait\n'])
})

test('a stream arrives piece by piece, and its signal aborts when its client leaves', async t => {
  const pieces = [Promise.withResolvers<string>(), Promise.withResolvers<string>()]
  const ended = Promise.withResolvers<void>()
  const answer: Route['answer'] = ({ signal }) => {
    signal.addEventListener('abort', () => ended.resolve())
    return { body: streamOf(pieces, signal) }
  }
  const { url } = await serve(t, { routes: [{ ...HELLO, answer }] })
  const response = await begin(`${url}/hello`)
  const read = response.setEncoding('utf8')[Symbol.asyncIterator]()
  for (const [index, piece] of pieces.entries()) {
    piece.resolve(`piece ${index}`)
    assert.equal((await read.next()).value, `piece ${index}`)
  }
  response.destroy()
  await ended.promise
})

async function* streamOf(pieces: readonly PromiseWithResolvers<string>[], signal: AbortSignal) {
  for (const { promise } of pieces) yield await promise
  await untilAborted(signal)
}

test('closing ends streams in an orderly way, and what does not end, within a moment', async t => {
  const { promise: never } = Promise.withResolvers<never>()
  const routes: Route[] = [
    { ...HELLO, path: '/stream', answer: ({ signal }) => ({ body: streamOf([], signal) }) },
    { ...HELLO, path: '/stuck', answer: () => never },
  ]
  const server = await serve(t, { routes })
  const response = await begin(`${server.url}/stream`)
  const whole = text(response)
  const stuck = ask(`${server.url}/stuck`).then(
    () => 'answered',
    () => 'cut off',
  )
  const silent = connect(server.port, '127.0.0.1')
  await once(silent, 'connect')
  silent.on('error', () => {}) // `close` follows
  const cut = new Promise(resolve => silent.once('close', resolve))
  await server.close()
  assert.equal(await whole, '')
  assert.equal(await stuck, 'cut off')
  await cut
  await server.close() // twice is fine
})

test('a port that is taken, and an address of another machine, are PORT_UNUSABLE with what to do', async t => {
  const { port } = await serve(t)
  await assert.rejects(serve(t, { port }), {
    code: 'PORT_UNUSABLE',
    exitCode: 2,
    message: `cannot listen on port ${port} of 127.0.0.1: another program listens there. Choose another port, or 0 for any free one`,
  })
  await assert.rejects(serve(t, { address: '192.0.2.1' }), { message: /this machine does not have the address/ })
})

test('headers that are too long are refused, and a request that never ends is cut off', async t => {
  const { url, port } = await serve(t)
  assert.equal((await ask(`${url}/hello`, { headers: { long: 'x'.repeat(9000) } })).status, 431)
  const raw = connect(port, '127.0.0.1')
  await once(raw, 'connect')
  raw.end('GET /hello HTTP/1.0\r\n\r\n') // without Host
  assert.match(await text(raw), /^HTTP\/1\.1 403 /)
})

test('a probe is answered while strangers hold more connections than there may be, without a whole request', async t => {
  const { port } = await serve(t)
  const strangers = await Promise.all(
    Array.from({ length: 200 }, async () => {
      const raw = connect(port, '127.0.0.1').on('error', () => {})
      await once(raw, 'connect')
      raw.write('GET /hello HTTP/1.1\r\nHost: 127')
      return raw
    }),
  )
  t.after(() => {
    for (const raw of strangers) raw.destroy()
  })
  const kept = connect(port, '127.0.0.1')
  t.after(() => kept.destroy())
  await once(kept, 'connect')
  for (let count = 0; count < 2; count++) {
    kept.write('GET /hello HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')
    const [head] = await once(kept, 'data')
    assert.match(String(head), /^HTTP\/1\.1 200 /)
  }
})
