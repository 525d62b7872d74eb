/**
 * Every way into a secured broker, with every command, and the bytes of plain pandas.
 *
 * A round is one pipeline: one job of a file and one of events. The full product of ways (11) for the commands (10) of
 * a round would be 11^10 rounds. We run 11: in round k each command takes the way after that of the command before it. So
 * each command takes each way once, and what one way wrote another one reads.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openJob, results } from '../../src/index.ts'
import { rowmill, startRowmill, testFolder } from '../helpers/cli.ts'
import { PASSWORD, SecuredBroker, USER } from '../helpers/secured-broker.ts'
import { serialJob } from '../helpers/serial.ts'
import { propertiesText, type WayIn, waysIn } from '../helpers/ways-in.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/classifiers.py:a_float')
const ONE_WORKER = ['--classifier', CLASSIFIER, '--workers', '1']
const ROUNDS = 11
const ROWS = 300

const closes: (() => Promise<void> | void)[] = []
const closing = (close: () => Promise<void> | void) => closes.unshift(close)
let secured: SecuredBroker
let ways: WayIn[]
let folder: string
let input: string
let expected: string
before(async () => {
  secured = await SecuredBroker.start(closing)
  ways = await waysIn(secured, closing)
  folder = testFolder({ after: closing })
  input = makeRows('in.csv', ROWS)
  expected = await serialJob(input, CLASSIFIER)
})
after(async () => {
  for (const close of closes) await close()
})

function makeRows(name: string, count: number): string {
  const file = join(folder, name)
  writeFileSync(file, `ID,A,B\n${Array.from({ length: count }, (_, i) => `${i},"a ""${i % 7}""",${i / 8}\n`).join('')}`)
  return file
}

/** The options of a way. A third of them come from a file, a third from the environment, and a third from both. */
function reach({ brokers, properties }: WayIn, at: number): { args: string[]; env: Record<string, string> } {
  const file = join(folder, `way-${at}.properties`)
  const text = propertiesText(properties)
  if (at % 3 === 0) {
    writeFileSync(file, `bootstrap.servers=${brokers}\n${text}`)
    return { args: ['--command-config', file], env: {} }
  }
  if (at % 3 === 1) return { args: ['--brokers', brokers], env: { ROWMILL_PROPERTY: text } }
  const [[protocol, value], ...others] = Object.entries(properties) as [[string, string], ...[string, string][]]
  const env = { ROWMILL_PROPERTY: propertiesText(Object.fromEntries(others)) }
  return { args: ['--brokers', brokers, '-X', `${protocol}=${value}`], env }
}

/** The commands of round `k`, each with the next way. */
function round(k: number) {
  let turn = k
  const next = () => {
    const at = turn++ % ways.length
    return { at, way: ways[at]! }
  }
  const start = (...args: string[]) => {
    const { at, way } = next()
    const { args: more, env } = reach(way, at)
    const { child, finished } = startRowmill([...args, ...more], { env })
    const succeeded = finished.then(({ code, stdout, stderr }) => {
      assert.equal(code, 0, `${args[0]} with ${way.name}: ${stderr}`)
      return stdout
    })
    return { child, succeeded }
  }
  const sdk = () => {
    const { properties, brokers } = next().way
    return { kafka: { brokers: [brokers], properties } }
  }
  return { start, does: (...args: string[]) => start(...args).succeeded, sdk }
}

test('there is a round for each way', () => assert.equal(ways.length, ROUNDS))

for (let k = 0; k < ROUNDS; k++)
  test(`round ${k}: a file and events give the bytes of pandas, with each command on another way`, async t => {
    const { start, does, sdk } = round(k)
    const [pipeline, output] = [`secured-${k}`, join(folder, `out-${k}.csv`)]
    const at = ['--pipeline', pipeline]
    assert.equal(await does('run', input, `${output}.run`, ...ONE_WORKER), '')
    assert.equal(readFileSync(`${output}.run`, 'utf8'), expected)

    const job = ['--job', (await does('publish', input, ...at, '--partitions', '2')).trim()]
    const work = start('work', ...ONE_WORKER, ...at)
    t.after(() => work.child.kill('SIGKILL'))
    await does('collect', output, ...job, ...at)
    assert.equal(readFileSync(output, 'utf8'), expected)
    assert.equal(await does('tail', ...job, ...at), expected)
    assert.doesNotMatch(await does('doctor', ...at, '--workers', '2'), /FAILURE|warning|skipped/)
    await does('verify', output, ...job, ...at)
    assert.equal(await does('rejects', 'list', ...job, ...at), '')
    assert.equal(await does('jobs', 'open', '--job', 'opened', '--columns', 'ID,A,B', ...at), 'opened\n')

    const events = await openJob({ ...sdk(), pipeline, id: 'events', columns: ['ID', 'A', 'B'] })
    await Promise.all(Array.from({ length: ROWS }, (_, i) => events.send([`${i}`, `a "${i % 7}"`, `${i / 8}`])))
    await events.end()
    await events.close()
    const rows: string[] = []
    for await (const batch of results({ ...sdk(), pipeline, job: 'events' }))
      rows.push(...batch.rows.map(row => row.values!.join('|')))
    assert.deepEqual(rows, fromCsv(expected))
    assert.match(await does('jobs', 'list', ...at), /events.*classified[\s\S]*opened|opened[\s\S]*events.*classified/)
    work.child.kill('SIGTERM')
    await once(work.child, 'exit')
  })

/** Rows of the expected output as the events give them. */
function fromCsv(text: string): string[] {
  return text
    .trimEnd()
    .split('\n')
    .map(line => line.replace(/"((?:[^"]|"")*)"/, (_, cell: string) => cell.replaceAll('""', '"')).replaceAll(',', '|'))
}

test('10,000 rows through sessions of 6 s give the bytes of pandas', async () => {
  const [large, output] = [makeRows('large.csv', 10_000), join(folder, 'large.out')]
  const properties = {
    'security.protocol': 'SASL_SSL',
    'ssl.ca.location': secured.authority.ca,
    'sasl.mechanism': 'SCRAM-SHA-512',
    'sasl.username': USER,
    'sasl.password': PASSWORD,
  }
  const file = join(folder, 'short.properties')
  writeFileSync(file, propertiesText({ 'bootstrap.servers': secured.address('SHORT'), ...properties }))
  const args = ['run', large, output, '--classifier', CLASSIFIER, '--workers', '2', '--command-config', file]
  const [{ code, stderr }, same] = await Promise.all([rowmill(args), serialJob(large, CLASSIFIER)])
  assert.equal(code, 0, stderr)
  assert.equal(readFileSync(output, 'utf8'), same)
})
