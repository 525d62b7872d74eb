/** Every fenced block of every page runs in the folder of a user, or another test checks it, or BLOCKS says why not. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { freePort } from '../helpers/free-port.ts'
import { type Installed, installRowmill, ROOT, succeeded } from '../helpers/installed.ts'
import { asARun, type Block, blocksOf, PageShell } from '../helpers/page.ts'
import { until } from '../helpers/until.ts'

/** What happens to a block: `run` here, the test file that checks it, or the reason why nothing does. */
type Treatment = 'run' | { readonly by: string } | { readonly not: string }

const RECORDS = { by: 'test/wire/wire-format.test.ts' }
const STEPS = { by: 'test/pages/going-real-time.page.ts' }
/** The call of a command, generated from the tables of commands and options. */
const USAGE = { by: 'test/cli/pages.test.ts' }
const ADOPTED = { by: 'test/pages/adopt.page.ts' }
const PROGRAMS = { by: 'test/pages/your-job.page.ts' }
const PRODUCERS = { by: 'test/foreign/producers.foreign.ts' }

/** Each block by its beginning, in the order of its page. */
const BLOCKS: Readonly<Record<string, readonly (readonly [begins: string, Treatment])[]>> = {
  'README.md': [
    ['npm install && npm run demo', { by: 'test/pages/demo.page.ts' }],
    ['The files are the same', { by: 'test/pages/demo.page.ts' }],
    ['df = pd.read_csv(IN', 'run'],
    ['npx rowmill run rows.csv', 'run'],
  ],
  'CONTRIBUTING.md': [
    ['npm install', { not: 'it runs this test' }],
    ['export PATH', { not: 'it runs one test of a clone' }],
  ],
  'DESIGN.md': [['cli/ ', { not: 'a map of the rooms' }]],
  'bench/latency.md': [
    ...['rowmill work --workers 2, every other option', 'processing.guarantee=at_least_once', 'nothing'],
  ].map(begins => [begins, { not: 'the settings of a measurement, as the bench writes them down' }]),
  'docs/adopt.md': ['orders.py', 'report.py', 'shares.py']
    .flatMap(file => [`# ${file}`, `rowmill adopt ${file}`, `${file} reads`])
    .map(begins => [begins, ADOPTED]),
  'docs/broker.md': [
    ['npx rowmill broker --port 9092', 'run'],
    [
      'npx rowmill run rows.csv classified.csv --classifier black_box.py   # starts a broker',
      { by: 'test/run/keep-default.integration.ts' },
    ],
    ['rowmill broker --port 9092 --data kafka-data --auth', { by: 'test/cli/broker.integration.ts' }],
    ['npm install testcontainers', { not: 'it downloads a package and needs a Docker engine' }],
  ],
  'docs/classifiers.md': [
    ['# black_box.py', 'run'],
    ['# words.py', 'run'],
    ['rowmill run rows.csv words.csv', 'run'],
    ['npx rowmill check', 'run'],
    ['// black-box.mts', 'run'],
    ['// black_box.test.mts', 'run'],
  ],
  'docs/cli.md': [
    ...[
      'run',
      'check',
      'publish',
      'work',
      'collect',
      'status',
      'tail',
      'verify',
      'rejects list',
      'rejects export',
      'rejects replay',
    ],
    ...['jobs open', 'jobs list', 'jobs cancel', 'jobs rm', 'topics plan', 'topics apply', 'topics check', 'acls'],
    ...['monitor', 'broker', 'adopt', 'doctor', 'explain', 'completion'],
  ]
    .map(command => [`rowmill ${command} `, USAGE] as readonly [string, Treatment])
    .concat([['source <(rowmill completion bash)', { by: 'test/cli/completion.test.ts' }]]),
  'docs/configuration.md': [['# yaml-language-server', { by: 'test/cli/config-file.test.ts' }]],
  'docs/decisions/second-client.md': [['cd bench/second-client', { not: 'it downloads a package, and measures' }]],
  'docs/doctor.md': [
    ['rowmill doctor', { by: 'test/cli/doctor.integration.ts' }],
    ['ok       login', { by: 'test/cli/doctor.integration.ts' }],
  ],
  'docs/events.md': [
    ['npx rowmill jobs open', 'run'],
    ['// prices.mts', 'run'],
  ],
  'docs/going-real-time.md': [
    ...['export ROWMILL_BROKERS', 'cat > rows.csv', '17,a red shoe', 'rowmill jobs open', 'echo', '20,a green shoe'],
    ...['rowmill publish', '// 4-producer.mts', '// 5-consumer.mts', 'node 5-consumer.mts', 'resuming at 0'],
  ].map(begins => [begins, STEPS]),
  'docs/install.md': [['npm install && npm pack', { by: 'test/pages/package.page.ts' }]],
  'docs/logs.md': [
    ['rowmill run rows.csv', { by: 'test/cli/json-log.integration.ts' }],
    ['{"level":"error"', { by: 'test/cli/json-log.integration.ts' }],
    ['# wrapper.py', { by: 'test/cli/json-log.integration.ts' }],
    ['rowmill run rows.csv', { by: 'test/cli/json-log.integration.ts' }],
  ],
  'docs/many-machines.md': [
    ['export ROWMILL_BROKERS', 'run'],
    ['npx rowmill verify', 'run'],
    ['0 3 * * * rowmill jobs rm', { not: 'it is a line of a crontab' }],
  ],
  'docs/monitoring.md': [
    ...['mkdir -p docker/files', 'export ROWMILL_BROKERS'].map(
      begins => [begins, { not: 'it needs a Docker engine, and pulls images' }] as const,
    ),
    ['(umask 077', { not: 'both programs run until somebody stops them' }],
  ],
  'docs/resume.md': [
    ['rowmill run --resume', 'run'],
    ['rowmill run --resume', 'run'],
  ],
  'docs/sdk.md': [
    ['// 2-own-source.mts', 'run'],
    ['// 3-own-sink.mts', 'run'],
  ],
  'docs/secured-clusters.md': [
    ...['rowmill run rows.csv', 'const kafka =', 'export ROWMILL_PROPERTY'].map(
      begins => [begins, { by: 'test/e2e/secured.e2e.ts' }] as [string, Treatment],
    ),
    ['ROWMILL_TEST_CONFIG', { not: 'it needs a cluster of the reader' }],
    ['docker run', { not: 'it needs a Docker engine that can pull images' }],
    ['rowmill acls', { by: 'test/foreign/rights.foreign.ts' }],
    ['echo', { by: 'test/foreign/secured-producers.foreign.ts' }],
  ],
  'docs/tcp.md': ['# sender.py', '# receiver.py', 'rowmill publish tcp:'].map(begins => [begins, 'run']),
  'docs/tracing.md': [
    ['npm install @opentelemetry/api', { not: 'it downloads packages, and needs a backend of traces' }],
    ['// tracing.mjs', { by: 'test/tracing/traces.integration.ts' }],
    ['NODE_OPTIONS', { by: 'test/tracing/traces.integration.ts' }],
    ['echo', { by: 'test/tracing/traces.integration.ts' }],
  ],
  'docs/your-job.md': [
    '# scoring.py',
    ...Array.from({ length: 10 }, () => ['import pandas', 'rowmill run ']).flat(),
  ].map(begins => [begins, PROGRAMS]),
  'docs/watch.md': [
    ['rowmill run rows.csv', { by: 'test/cli/status.integration.ts' }],
    ['job orders is stalled', { by: 'test/cli/status/describe-status.test.ts' }],
    ['rowmill status', { by: 'test/cli/status.integration.ts' }],
    ['*/10 * * * *', { not: 'it is a line of a crontab' }],
    ['# wait_for_orders.py', { not: 'it needs an Airflow' }],
    ['rowmill status', { by: 'test/cli/status.integration.ts' }],
  ],
  'docs/wire-format.md': [
    ...['block     = floor(seq / b)', '{"job": "orders"'].map(begins => [begins, RECORDS] as const),
    ['kcat -C -q', { not: 'it reads a cluster of the user' }],
    ['{"version": 1, "process"', { by: 'test/reports/report-text.test.ts' }],
    ...Array.from({ length: 5 }, () => ['{', 'c3 01 '])
      .flat()
      .map(begins => [begins, RECORDS] as const),
  ],
  'docker/README.md': [
    ['docker build', { not: 'it needs a Docker engine, and pulls images' }],
    ['mkdir -p docker/files', { not: 'it needs a Docker engine, and pulls images' }],
  ],
  'examples/README.md': [['# 1-csv.sh', 'run']],
  'examples/producers/README.md': ['export ROWMILL_BROKERS', 'echo', 'pip install'].map(begins => [begins, PRODUCERS]),
}

test('every block of every page is run, or checked by another test, or listed with the reason why not', () => {
  const pages = globSync('**/*.md', { cwd: ROOT, exclude: ['**/node_modules/**', '.venv/**', 'demo/**', 'test/**'] })
  for (const page of pages) {
    const [blocks, listed] = [blocksOf(page), BLOCKS[page] ?? []]
    const begins = blocks.map(({ text }, i) =>
      listed[i]?.[0] && text.startsWith(listed[i][0]) ? listed[i][0] : text.split('\n', 1)[0]!,
    )
    assert.deepEqual(
      begins,
      listed.map(([begins]) => begins),
      `${page}: a block that BLOCKS does not list, or an entry without a block`,
    )
    for (const [begins, treatment] of listed) {
      if (typeof treatment !== 'object' || 'not' in treatment) continue
      const name = `${treatment.by}, which checks ${begins}`
      assert.ok(existsSync(join(ROOT, treatment.by)), name)
    }
  }
  assert.deepEqual(
    Object.keys(BLOCKS).filter(page => !pages.includes(page)),
    [],
  )
})

const installed: Installed = await installRowmill()
after(() => installed.remove())
const { home, run, compile } = installed
succeeded(await run('npm', ['pkg', 'set', 'type=commonjs'])) // as newer versions of `npm init` write by themselves

const ROWS = Array.from({ length: 250 }, (_, i) => `${i},${['a red shoe', 'a hat', ''][i % 3]}\n`)
const CLASSIFIER = `
def classify_df(df):
    df['CLASS'] = ['shoe' if 'shoe' in str(text) else 'other' for text in df['TEXT']]
`
const write = (file: string, text: string) => writeFileSync(join(home, file), text)
const read = (file: string) => readFileSync(join(home, file), 'utf8')

/** The blocks of a page that run here. */
function toRun(page: string): Block[] {
  return blocksOf(page).filter((_, i) => BLOCKS[page]![i]![1] === 'run')
}

/** Compiles and writes the TypeScript of a page, with this port instead of 9092. */
async function writePrograms(blocks: readonly Block[], port: number): Promise<void> {
  const programs = blocks.filter(({ language }) => language === 'ts')
  for (const { file, text } of programs) {
    assert.ok(file, `the first line of a program is a comment with its name: ${text}`)
    write(file, text.replaceAll('9092', `${port}`))
  }
  await compile(
    programs.map(({ file }) => file!),
    { node: true },
  )
}

/** The pages in the order of a reader who begins with the README; some need the broker of an earlier one. */
const PAGES = ['README.md', 'docs/broker.md', 'docs/many-machines.md', 'docs/events.md', 'docs/resume.md']

test('README, broker.md, many-machines.md, events.md and resume.md run as written, block by block', {
  skip: spawnSync('kcat', ['-V']).error ? 'there is no kcat here' : false,
  timeout: 900_000, // a dozen commands, three of which start a broker
}, async t => {
  write('rows.csv', `SKU,TEXT\n${ROWS.join('')}`)
  for (const file of ['black_box.py', 'works.py']) write(file, CLASSIFIER)
  write('fails.py', 'def classify_df(df): raise ValueError()')
  const port = await freePort()
  const blocks = PAGES.flatMap(toRun)
  await writePrograms(blocks, port)
  const shell = new PageShell(t, { cwd: home, env: installed.env })
  for (const { language, text, file } of blocks) {
    if (language === 'python') {
      const given = "import pandas as pd\nfrom black_box import classify_df\nIN, OUT = 'rows.csv', 'serial.csv'\n"
      write('original_job.py', `${given}${text}`)
      await shell.run('python3 original_job.py')
    } else if (language === 'ts') {
      await shell.run(`node ${file}`)
    } else {
      await shell.run(text.replaceAll('9092', `${port}`).split('\n').map(asARun).join('\n'))
    }
    if (text.startsWith('npx rowmill run')) await shell.run('cmp serial.csv classified.csv')
  }
})

/** What the programs with a custom source or sink print. */
const PRINTED: Readonly<Record<string, readonly string[]>> = {
  '2-own-source.mts': ['17,a red shoe,shoe', '18,a hat,other', '19,a blue shoe,shoe'],
  '3-own-sink.mts': ['17 | a red shoe | shoe', '18 | a hat | other'],
}

test('docs/sdk.md runs as written: a custom source and sink', async () => {
  write('rows.csv', 'SKU,TEXT\n17,a red shoe\n18,a hat\n')
  write('black_box.py', CLASSIFIER)
  const blocks = toRun('docs/sdk.md')
  await writePrograms(blocks, 9092)
  for (const { file } of blocks) {
    const printed = succeeded(await run('node', [file!]))
    assert.deepEqual(printed.trimEnd().split('\n'), PRINTED[file!])
  }
})

test('examples/1-csv.sh runs as written, and the two files are the same', async t => {
  const shell = new PageShell(t, { cwd: home, env: installed.env })
  const [block] = toRun('examples/README.md')
  await shell.run(`rm -f classified.csv\n${block!.text}`)
})

test('each numbered example is the block of a page, word by word', () => {
  const examples = globSync('examples/[0-9]-*', { cwd: ROOT })
  assert.equal(examples.length, 5)
  const blocks = Object.keys(BLOCKS).flatMap(blocksOf)
  for (const example of examples) {
    const text = readFileSync(join(ROOT, example), 'utf8')
    assert.ok(
      blocks.some(block => block.text === text),
      `no page shows ${example} as it is`,
    )
  }
})

/** What the two classifiers of the page write. */
const FIRST_LINES: Readonly<Record<string, readonly string[]>> = {
  'black_box.py': ['SKU,TEXT,CLASSIFICATION', '0,a red shoe,shoe', '1,a hat,other'],
  'black-box.mts': ['ID,SCORE', '0,11', '1,6'],
}

/** The words of the first row, each with the label of its row. */
const WORDS = ['0,a', '0,red', '0,shoe', '1,a']

test('docs/classifiers.md runs as written: three classifiers, the check and the test of one', async t => {
  write('rows.csv', `SKU,TEXT\n${ROWS.join('')}`)
  const blocks = toRun('docs/classifiers.md')
  await writePrograms(blocks, 9092)
  const shell = new PageShell(t, { cwd: home, env: installed.env })
  const starts = (path: string, lines: readonly string[]) =>
    assert.deepEqual(read(path).split('\n').slice(0, lines.length), lines)
  for (const { language, text, file } of blocks) {
    if (language === 'python') write(file!, text)
    if (language === 'sh') await shell.run(text)
    else if (file!.includes('.test.')) await shell.run(`node --test ${file}`)
    else if (FIRST_LINES[file!]) {
      await shell.run(`rowmill run rows.csv ${file}.csv --header --classifier ${file}`)
      starts(`${file}.csv`, FIRST_LINES[file!]!)
    }
  }
  starts('words.csv', WORDS)
})

test('docs/tcp.md runs as written: a sender, a receiver, and the commands between them', async t => {
  write('black_box.py', CLASSIFIER)
  const [sendPort, receivePort] = [await freePort(), await freePort()]
  const here = (text: string) => text.replaceAll('5001', `${sendPort}`).replaceAll('5002', `${receivePort}`)
  const [sender, receiver, commands] = toRun('docs/tcp.md')
  write(sender!.file!, here(sender!.text))
  write(receiver!.file!, here(receiver!.text))
  const { pipeline } = await testPipeline(t)
  const shell = new PageShell(t, { cwd: home, env: { ...installed.env, ROWMILL_PIPELINE: pipeline } })
  const [publish, send, receive, collect] = here(commands!.text)
    .replaceAll('127.0.0.1:9092', await brokerAddress())
    .trimEnd()
    .split('\n')
  await shell.run(`rowmill work --classifier black_box.py --brokers ${await brokerAddress()} &\n${publish} &`)
  await isListening(sendPort)
  await shell.run(`${receive} &`)
  await isListening(receivePort)
  await shell.run(`${send}\n${collect}\nwait %3`)
  const rows = Array.from({ length: 250 }, (_, row) => `${row},a red shoe,shoe\n`)
  assert.equal(read('received.csv'), rows.join(''))
})

/** Resolves when a program listens on this port. A test connection would count as the one that the program expects. */
function isListening(port: number): Promise<void> {
  const socket = new RegExp(`:${port.toString(16).toUpperCase().padStart(4, '0')} \\S+ 0A `)
  return until(`a program listens on ${port}`, () => socket.test(readFileSync('/proc/net/tcp', 'utf8')))
}
