import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { JsonLog } from '../../src/cli/json-log.ts'
import { LOG_LINE } from '../../src/cli/log-fields.ts'
import { RowmillError } from '../../src/errors.ts'
import { Secrets } from '../../src/support/credentials.ts'
import { anyCharacter } from '../helpers/any-character.ts'

/** A log, and what it wrote to stderr. It is closed at the end of the test. */
function openLog(t: TestContext, secrets = new Secrets([])) {
  const written: string[] = []
  t.mock.method(process.stderr, 'write', (text: string) => written.push(text) > 0)
  const log = new JsonLog({ mask: text => secrets.mask(text), about: () => ({}), uncaught: () => {} })
  t.after(() => log.close())
  return { log, written, lines: () => written.map(line => JSON.parse(line) as Record<string, unknown>) }
}

test('whatever a message holds, it is one line, a terminal obeys nothing in it, and JSON gives it back', t => {
  const { log, written } = openLog(t)
  const obeyed = fc.constantFrom('\u001b', '\u007f', '\u009b', '\u202e', '\u2028', '\n', '\r', '"', '\\')
  const text = fc.string({ unit: fc.oneof(anyCharacter, obeyed), maxLength: 20 })
  fc.assert(
    fc.property(text, text, (message, path) => {
      written.length = 0
      log.error(new RowmillError('INTERNAL', message, { path }), {})
      const [line, ...others] = written
      assert.deepEqual(others, [])
      assert.match(line!, /^[^\p{Cc}\p{Bidi_Control}\u2028\u2029]*\n$/u)
      const { msg, facts } = JSON.parse(line!)
      assert.deepEqual({ msg, facts }, { msg: message, facts: { path } })
    }),
  )
})

test('a secret is masked in every value, and a mask reaches over no end of a value', t => {
  const { log, lines } = openLog(t, new Secrets(['https://alice:s3cret/word@registry.example']))
  log.error(
    new RowmillError('REGISTRY_UNREACHABLE', 'cannot ask https://alice:s3cret/word@registry.example', {
      url: 'http://x',
      resume: 'rowmill run --schema-registry https://alice:s3cret/word@registry.example',
      user: 'a@b?token=abc&x=1',
    }),
    {},
  )
  const [line] = lines()
  assert.ok(!JSON.stringify(line).includes('s3cret'))
  assert.ok(!JSON.stringify(line).includes('abc'))
  assert.deepEqual((line!['facts'] as { url: string }).url, 'http://x')
  assert.match(String(line!['resume']), /^rowmill run --schema-registry https:\/\/\*\*\*@registry\.example$/)
})

test('a line has only documented fields, in the order of docs/logs.md, and none is null', t => {
  const { log, lines } = openLog(t)
  const facts = { job: 'a', pipeline: 'p', topic: 'rows', partition: 0, offset: 7, worker: 'm-1-1' }
  const error = new RowmillError('INTERRUPTED', 'ended', { ...facts, line: null, path: 'x', signal: 'SIGINT' })
  log.error(error, { command: 'run', code: error.code, exitCode: 130 })
  log.line('warn', 'a warning', { ...facts, source: 'classifier' })
  const [first, second] = lines()
  for (const line of [first!, second!]) {
    assert.deepEqual(
      Object.keys(line).filter(name => !Object.hasOwn(LOG_LINE.fields, name)),
      [],
    )
    assert.ok(!Object.values(line).includes(null))
  }
  assert.deepEqual(first!['facts'], { path: 'x' })
  assert.deepEqual([second!['level'], second!['source'], second!['partition']], ['warn', 'classifier', 0])
})

test('a warning of Node is a line while the log is open, and Node prints it again afterwards', t => {
  const before = process.listeners('warning')
  const { log, lines } = openLog(t)
  process.emit('warning', new Error('too many listeners'))
  assert.deepEqual(
    lines().map(({ level, source, msg }) => [level, source, msg]),
    [['warn', 'node', 'Error: too many listeners']],
  )
  log.close()
  assert.deepEqual(process.listeners('warning'), before)
})

test('what a library writes to stderr is a line for each of its own, and its callback is called', async t => {
  const { log, lines } = openLog(t)
  const called = new Promise<void>(resolve => {
    process.stderr.write('one\ntw', 'utf8', () => resolve())
  })
  process.stderr.write('o 2\n')
  process.stderr.write(Buffer.from('three'))
  await called
  log.close()
  assert.deepEqual(
    lines().map(({ level, source, msg }) => [level, source, msg]),
    ['one', 'two 2', 'three'].map(msg => ['warn', 'process', msg]),
  )
})
