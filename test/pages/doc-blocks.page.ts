/** Every fenced block of every page is run in the folder of a user, or checked elsewhere, or says why not. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type Installed, installRowmill, ROOT, succeeded } from '../helpers/installed.ts'
import { type Block, blocksOf, freePort, PageShell } from '../helpers/page.ts'

/** What becomes of a block: `run` here, the test file that checks it, or in words why nothing does. */
type Treatment = 'run' | { readonly by: string } | { readonly not: string }

const RECORDS = { by: 'test/wire/wire-format.test.ts' }
const STEPS = { by: 'test/pages/going-real-time.page.ts' }
const PRODUCERS = { by: 'test/foreign/producers.foreign.ts' }

/** Each block by how it begins, in the order of its page. */
const BLOCKS: Readonly<Record<string, readonly (readonly [begins: string, Treatment])[]>> = {
  'README.md': [
    ['            header -> jobs', { not: 'a drawing' }],
    ['npm install && npm run demo', { by: 'test/pages/demo.page.ts' }],
    ['npx rowmill run rows.csv', 'run'],
    ['df = pd.read_csv(IN', 'run'],
    ['// black-box.mts', 'run'],
    ['npm install && npm pack', { by: 'test/pages/package.page.ts' }],
    ['// run.mts', 'run'],
    ['npx rowmill broker --port 9092', 'run'],
    ['export ROWMILL_BROKERS', 'run'],
    ['npx rowmill verify', 'run'],
    ['npx rowmill jobs open', 'run'],
    ['// stock.mts', 'run'],
    ['rowmill run --resume', 'run'],
    ['rowmill run --resume', 'run'],
  ],
  'DESIGN.md': [['cli/ ', { not: 'a map of the rooms' }]],
  'bench/latency.md': [
    ...['rowmill work --workers 2, every other option', 'processing.guarantee=at_least_once', 'nothing'],
  ].map(begins => [begins, { not: 'the settings of a measurement, as the bench writes them down' }]),
  'docs/broker.md': [['npm install testcontainers', { not: 'it fetches a package and needs a Docker engine' }]],
  'docs/classifiers.md': [
    ['# black_box.py', 'run'],
    ['// black-box.mts', 'run'],
    ['// black_box.test.mts', 'run'],
  ],
  'docs/going-real-time.md': [
    ...['export ROWMILL_BROKERS', 'cat > rows.csv', '17,a red shoe', 'rowmill jobs open', 'echo', '20,a green shoe'],
    ...['rowmill publish', '// producer.mts', '// consumer.mts', 'node consumer.mts', 'going on at 0'],
  ].map(begins => [begins, STEPS]),
  'docs/wire-format.md': [
    ...['block     = floor(seq / b)', '{"job": "orders"'],
    ...Array.from({ length: 5 }, () => ['{', 'c3 01 ']).flat(),
  ].map(begins => [begins, RECORDS]),
  'docker/README.md': [
    ['docker build', { not: 'it needs a Docker engine, and fetches images' }],
    ['mkdir -p docker/files', { not: 'it needs a Docker engine, and fetches images' }],
  ],
  'examples/producers/README.md': ['export ROWMILL_BROKERS', 'echo', 'pip install'].map(begins => [begins, PRODUCERS]),
}

test('every block of every page is run, or checked by another test, or listed with the reason why not', () => {
  const pages = globSync('**/*.md', { cwd: ROOT, exclude: ['node_modules/**', '.venv/**', 'demo/**', 'test/**'] })
  for (const page of pages) {
    const [blocks, listed] = [blocksOf(page), BLOCKS[page] ?? []]
    const begins = blocks.map(({ text }, i) =>
      listed[i]?.[0] && text.startsWith(listed[i][0]) ? listed[i][0] : text.split('\n', 1)[0]!,
    )
    assert.deepEqual(
      begins,
      listed.map(([begins]) => begins),
      `${page}: a block that BLOCKS does not list, or the other way`,
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

/** Compiles and writes the TypeScript of a page, with this port in place of 9092. */
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

/** As a reader runs a line: on another day where it writes the same file, and what stays in a terminal of its own. */
function asARun(line: string): string {
  if (/ classified\.csv /.test(line) && / (run rows\.csv|collect) /.test(line) && !line.includes('--force'))
    return `rm -f classified.csv\n${line}`
  if (/ run --resume /.test(line)) {
    const failed = 'rowmill run rows.csv classified.csv --classifier black_box.py || [ $? = 5 ]'
    return `rm -f classified.csv\ncp fails.py black_box.py\n${failed}\ncp works.py black_box.py\n${line}`
  }
  const [command] = line.split(' #', 1)
  if (/\browmill broker\b/.test(line))
    return `${command} > broker.address &\nuntil [ -s broker.address ]; do sleep 0.1; done`
  return /\browmill (work|tail)\b|--follow/.test(line) ? `${command} &` : line
}

test('the README runs as it stands, block by block', {
  skip: spawnSync('kcat', ['-V']).error ? 'there is no kcat here' : false,
  timeout: 900_000, // a dozen commands, three of which start a broker
}, async t => {
  write('rows.csv', `SKU,TEXT\n${ROWS.join('')}`)
  for (const file of ['black_box.py', 'works.py']) write(file, CLASSIFIER)
  write('fails.py', 'def classify_df(df): raise ValueError()')
  const port = await freePort()
  const blocks = toRun('README.md')
  await writePrograms(blocks, port)
  const shell = new PageShell(t, { cwd: home, env: installed.env })
  for (const { language, text, file } of blocks) {
    if (language === 'python') {
      const given = "import pandas as pd\nfrom black_box import classify_df\nIN, OUT = 'rows.csv', 'serial.csv'\n"
      write('old_job.py', `${given}${text}`)
      await shell.run('python3 old_job.py; cmp serial.csv classified.csv')
    } else if (file === 'black-box.mts') {
      await shell.run('rowmill run rows.csv lengths.csv --classifier black-box.mts')
      assert.equal(read('lengths.csv').split('\n')[1], '1,a hat,6')
    } else if (language === 'ts') {
      await shell.run(`node ${file}`)
    } else {
      await shell.run(text.replaceAll('9092', `${port}`).split('\n').map(asARun).join('\n'))
    }
  }
})

/** What the two classifiers of the page write. */
const FIRST_LINES: Readonly<Record<string, readonly string[]>> = {
  'black_box.py': ['SKU,TEXT,CLASSIFICATION', '0,a red shoe,shoe', '1,a hat,other'],
  'black-box.mts': ['ID,SCORE', '0,11', '1,6'],
}

test('docs/classifiers.md runs as it stands: both classifiers, and the test of one', async t => {
  write('rows.csv', `SKU,TEXT\n${ROWS.join('')}`)
  const blocks = toRun('docs/classifiers.md')
  await writePrograms(blocks, 9092)
  const shell = new PageShell(t, { cwd: home, env: installed.env })
  for (const { language, text, file } of blocks) {
    if (language === 'python') write(file!, text)
    if (file!.includes('.test.')) {
      await shell.run(`node --test ${file}`)
      continue
    }
    await shell.run(`rowmill run rows.csv ${file}.csv --header --classifier ${file}`)
    assert.deepEqual(read(`${file}.csv`).split('\n').slice(0, 3), FIRST_LINES[file!])
  }
})
