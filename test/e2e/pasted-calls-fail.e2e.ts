/** `--read` and `--write`: what is refused before anything starts, and how a command ends in the middle of reading. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { BIN, rowmill, startProgram, startRowmill, testFolder } from '../helpers/cli.ts'
import { descendants, untilGone } from '../helpers/processes.ts'
import { until } from '../helpers/until.ts'

const MODULE = join(import.meta.dirname, '../fixtures/has_an_a.py')
const CLASSIFIER = ['--classifier', MODULE]
const READ = ['--read', 'pd.read_csv(IN)']

/** A folder with a file of 40 rows, and where the output goes. */
function place(t: TestContext) {
  const folder = testFolder(t)
  const [input, output] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
  const kinds = ['low', 'high', 'none']
  const lines = Array.from({ length: 40 }, (_, i) => `${i},text ${i},${kinds[i % 3]}\n`)
  writeFileSync(input, `id,text,kind\n${lines.join('')}`)
  return { folder, input, output }
}

/** The address of a broker that only counts who connects. */
async function countingBroker(t: TestContext) {
  let connections = 0
  const server = createServer(socket => {
    connections++
    socket.destroy()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return { address: `127.0.0.1:${(server.address() as { port: number }).port}`, connections: () => connections }
}

/** Options after IN and OUT, with the one line that refuses them. */
const REFUSED: readonly [given: readonly string[], message: RegExp][] = [
  [['--read', "pd.read_csv(IN, seperator=';')"], /--read .* has no argument 'seperator'.*\[USAGE\]/],
  [['--read', 'pd.read_csv(IN, sep=;)'], /--read .* this is not Python: .*\[USAGE\]/],
  [['--read', "pd.read_csv(IN, converters={'text': cleen})"], /has no cleen\. There is clean.*\[USAGE\]/],
  [['--read', ':NOTHING'], /NOTHING.*\[USAGE\]/],
  [['--write', 'df.to_csv(OUT, float_format=longer)'], /--write .* has no longer.*\[USAGE\]/],
  [['--low-memory'], /--low-memory says how --read reads the file: give --read.*\[USAGE\]/],
  [[...READ, '--read-csv', '{"sep": ";"}'], /--read and --read-csv say the same: keep --read,.* leave out --read-csv/],
  [[...READ, '--index-kind', 'text', '--delimiter', ';'], /leave out --index-kind and --delimiter/],
  [['--write', 'df.to_csv(OUT)', '--to-csv', '{"sep": ";"}', '--header'], /leave out --to-csv and --header/],
]

test('a call that cannot be obeyed is one line, exit 2, before anybody connects to a broker', async t => {
  const { folder, input, output } = place(t)
  const broker = await countingBroker(t)
  const env = { ROWMILL_BROKERS: broker.address }
  for (const [given, message] of REFUSED) {
    const { code, stderr } = await rowmill(['run', input, output, ...CLASSIFIER, ...given], { env })
    assert.equal(code, 2, `${given}: ${stderr}`)
    assert.match(stderr, /^rowmill: [^\n]*\n$/, `${given}`)
    assert.match(stderr, message)
  }
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  const inputs: [path: string, message: RegExp][] = [
    ['-', /standard input can be read only once, and pandas reads the whole file several times/],
    [pipe, /pipe can be read only once/],
    ['s3://bucket/in.csv', /input s3:\/\/bucket\/in\.csv is a URL, and rowmill reads local files/],
  ]
  for (const [path, message] of inputs) {
    const { code, stderr } = await rowmill(['run', path, output, ...CLASSIFIER, ...READ], { env })
    assert.equal(code, 2, stderr)
    assert.match(stderr, message)
  }
  const module = await rowmill(['run', input, output, '--classifier', 'black-box.mts', ...READ], { env })
  assert.equal(module.code, 2)
  assert.match(
    module.stderr,
    /--read: pandas makes frames for Python, and black-box\.mts is not Python\. Give --read-csv/,
  )
  assert.equal(broker.connections(), 0)
  assert.deepEqual(readdirSync(folder).sort(), ['in.csv', 'pipe'])
})

/** A run whose reader never comes to the end of the file, and the pid of that reader. */
async function readingForEver(t: TestContext) {
  const { folder, input, output } = place(t)
  const spool = join(folder, 'tmp')
  mkdirSync(spool)
  const read = "pd.read_csv(IN, converters={'text': never_ends})"
  const { child, finished, said } = startRowmill(
    ['run', input, output, ...CLASSIFIER, '--read', read, '--workers', '1'],
    {
      env: { ROWMILL_BROKERS: await brokerAddress(), TMPDIR: spool },
    },
  )
  t.after(() => child.kill('SIGKILL'))
  await until('the reader reads', () => /^reading \d+$/m.test(said()))
  const reader = Number(/^reading (\d+)$/m.exec(said())![1])
  return { folder, spool, child, finished, reader, below: descendants(child.pid!) }
}

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGKILL', null],
] as const) {
  test(`${signal} while pandas reads leaves no process and no file`, async t => {
    const { folder, spool, child, finished, below } = await readingForEver(t)
    child.kill(signal)
    assert.equal((await finished).code, code)
    await untilGone(below)
    assert.deepEqual(readdirSync(spool), [])
    if (code !== null) assert.deepEqual(readdirSync(folder).sort(), ['in.csv', 'tmp'])
  })
}

test('a reader that is killed ends the command with one clear line and the command that starts over', async t => {
  const { folder, reader, finished, below } = await readingForEver(t)
  process.kill(reader, 'SIGKILL')
  const { code, stderr } = await finished
  assert.equal(code, 1, stderr)
  assert.match(stderr, /^rowmill: the process that reads .*in\.csv ended with signal SIGKILL \(.*\[READER_DIED\]$/m)
  assert.match(stderr, /\nrowmill: to start again: rowmill run .*in\.csv .*never_ends[^\n]*\n$/)
  await untilGone(below)
  assert.deepEqual(readdirSync(folder).sort(), ['in.csv', 'tmp'])
})

test('a temporary folder without room ends the command with its name and the cure', async t => {
  const { folder, input, output } = place(t)
  writeFileSync(input, `id,text\n${Array.from({ length: 5000 }, (_, i) => `${i},${'x'.repeat(40)}\n`).join('')}`)
  const env = { ROWMILL_BROKERS: await brokerAddress(), TMPDIR: folder }
  const command = 'ulimit -f 64; exec "$@"' // no file may have more than 64 KB
  const words = ['-c', command, '-', process.execPath, BIN, 'run', input, output, ...CLASSIFIER, ...READ]
  const { code, stderr } = await startProgram('bash', words, { env }).finished
  assert.equal(code, 1, stderr)
  assert.match(
    stderr,
    /cannot keep the rows in \S+: File too large\. Make room, or name another folder in TMPDIR\. \[OUTPUT_FAILED\]/,
  )
  assert.deepEqual(readdirSync(folder), ['in.csv'])
})

test('a run that was killed while it published learns the file again, and refuses what pandas reads otherwise', async t => {
  const { folder, input, output } = place(t)
  const { pipeline } = await testPipeline(t)
  const module = join(folder, 'classifier.py')
  writeFileSync(module, readFileSync(MODULE))
  const settings = (categories: string) =>
    `import pandas as pd\nREAD = {'dtype': {'kind': pd.CategoricalDtype(${categories})}}\n`
  const file = join(folder, 'settings.py')
  writeFileSync(file, settings("['low', 'high']"))
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
  const calls = ['--read', 'settings:READ', '--write', 'df.to_csv(OUT, index=False)']
  const args = ['run', input, output, '--classifier', module, ...calls, '--batch-rows', '5', '--workers', '1']
  const crash = { ROWMILL_CRASH: `rows-acked:2 ${join(folder, 'killed')}` }
  const killed = await rowmill(args, { env: { ...env, ...crash } })
  assert.equal(killed.signal, 'SIGKILL', killed.stderr)
  writeFileSync(file, settings("['high', 'low', 'none']"))
  const resume = ['run', '--resume', output]
  const refused = await rowmill(resume, { env })
  assert.equal(refused.code, 1, refused.stderr)
  assert.match(refused.stderr, /begun with the same file, but pandas reads it otherwise now.*\[INPUT_CHANGED\]/)
  writeFileSync(file, settings("['low', 'high']"))
  const resumed = await rowmill(resume, { env })
  assert.equal(resumed.code, 0, resumed.stderr)
  const kinds = ['low', 'high', '']
  const lines = Array.from({ length: 40 }, (_, i) => `${i},text ${i},${kinds[i % 3]},${i % 3 === 2 ? 'a' : 'b'}\n`)
  assert.equal(readFileSync(output, 'utf8'), `id,text,kind,C\n${lines.join('')}`)
})

test('a worker whose module lacks a name of the call ends with one line, and another worker does the job', async t => {
  const { folder, input, output } = place(t)
  const { pipeline } = await testPipeline(t)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
  const other = join(folder, 'other.py')
  writeFileSync(other, readFileSync(MODULE, 'utf8').replace('def clean(', 'def cleaned('))
  const calls = ['--read', "pd.read_csv(IN, converters={'text': clean})", '--write', 'df.to_csv(OUT)']
  const published = await rowmill(['publish', input, '--job', 'one', ...CLASSIFIER, ...calls], { env })
  assert.equal(published.code, 0, published.stderr)
  const work = (module: string) => ['work', '--classifier', module, '--workers', '1', '--until-done', 'one']
  const lacking = await rowmill(work(other), { env })
  assert.equal(lacking.code, 2, lacking.stderr)
  assert.match(lacking.stderr, /clean.*the module other has no clean\. There is cleaned.*\[CLASSIFIER_NOT_FOUND\]/)
  const worked = await rowmill(work(MODULE), { env })
  assert.equal(worked.code, 0, worked.stderr)
  const collected = await rowmill(['collect', output, '--job', 'one'], { env })
  assert.equal(collected.code, 0, collected.stderr)
  assert.match(readFileSync(output, 'utf8'), /^,id,text,kind,C\n0,0,text 0,low,b\n/)
  rmSync(output)
  assert.ok(!existsSync(`${output}.rowmill`))
})
