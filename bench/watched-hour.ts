/**
 * Measures what `rowmill monitor` and its page take over an hour: a job of a million rows that lasts so long, two jobs of 50
 * events a second, two workers that sleep, Chromium with the page open, and /metrics every 15 s. Prints a line a minute.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs, promisify } from 'node:util'
import { preparePython } from '../scripts/prepare-machine.ts'
import { startLocalBroker } from '../src/broker/local-broker.ts'
import { openJob } from '../src/index.ts'
import { openBrowser } from '../test/helpers/browser.ts'
import { descendants } from '../test/helpers/processes.ts'
import { row, table } from './report.ts'
import { answerHelp } from './usage.ts'

const ROOT = join(import.meta.dirname, '..')
const PIPELINE = 'hour'
const EVENT_EVERY_MS = 20
const SCRAPE_EVERY_MS = 15_000
/** Clock ticks a second in /proc/PID/stat: 100 on every current Linux. */
const TICKS = 100
/** A million rows in an hour, and 100 events a second, with two workers. */
const CLASSIFIER = `import time
def classify_df(df):
    time.sleep(0.0045 * len(df))
    df['LENGTH'] = [len(value) for value in df['DESCRIPTION']]
`

answerHelp('node bench/watched-hour.ts [--minutes 60] [--rows 1000000]')
const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '60' }, rows: { type: 'string', default: '1000000' } },
})
const minutes = Number(values.minutes)
const python = await preparePython(text => process.stderr.write(`bench: ${text}\n`))
const folder = await mkdtemp(join(tmpdir(), 'rowmill-bench-'))
const broker = await startLocalBroker({})
const browser = await openBrowser()
const started: ChildProcess[] = []
try {
  await watch()
} finally {
  await browser.close()
  for (const child of started.filter(({ exitCode }) => exitCode === null)) {
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  await broker.close()
  await rm(folder, { recursive: true })
}

async function watch(): Promise<void> {
  const input = join(folder, 'in.csv')
  await writeFile(join(folder, 'classifier.py'), CLASSIFIER)
  await promisify(execFile)(python, [join(ROOT, 'examples/make_rows.py'), values.rows, input])
  await done(start('topics', 'apply', '--partitions', '8'))
  const monitor = start('monitor', '--port', '0')
  const [url] = (await once(createInterface({ input: monitor.stdout! }), 'line')) as [string]
  const page = await browser.newPage()
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('Performance.enable')
  await page.goto(url)
  start('work', '--classifier', 'classifier.py', '--workers', '2')
  await done(start('publish', input, '--job', 'million'))
  start('collect', 'out.csv', '--job', 'million', '--no-progress')

  const over = new AbortController()
  const beside = [produce('stock', over.signal), produce('prices', over.signal), scrape(url, over.signal)]
  const lines: string[] = []
  const began = Date.now()
  for (let minute = 0; minute <= minutes; minute++) {
    await sleep(Math.max(0, began + minute * 60_000 - Date.now()))
    if (minute === minutes) await devtools.send('HeapProfiler.collectGarbage')
    const { metrics } = await devtools.send('Performance.getMetrics')
    const metric = (name: string) => metrics.find(each => each.name === name)?.value ?? 0
    const renderer = await rendererOfPage()
    const watching = await useOf(monitor.pid!)
    lines.push(
      row([
        String(minute),
        watching.cpuSeconds.toFixed(2),
        megabytes(watching.residentKb),
        renderer.cpuSeconds.toFixed(2),
        megabytes(renderer.residentKb),
        megabytes(renderer.ownKb),
        megabytes(metric('JSHeapUsedSize') / 1024),
        String(metric('Nodes')),
        String(metric('JSEventListeners')),
      ]),
    )
    process.stderr.write(`bench: ${lines.at(-1)}\n`)
  }
  over.abort()
  await Promise.all(beside)
  const heads = ['minute', 'monitor: CPU s', 'MB', 'page: CPU s', 'resident MB', 'its own MB', 'heap MB', 'nodes']
  console.log(table([...heads, 'listeners'], lines).join('\n'))
}

function start(...args: string[]): ChildProcess {
  const env = { ...process.env, ROWMILL_PYTHON: python, ROWMILL_BROKERS: broker.address, ROWMILL_PIPELINE: PIPELINE }
  const child = spawn(process.execPath, [join(ROOT, 'bin/rowmill.js'), ...args, '--quiet'], {
    ...{ cwd: folder, env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  started.push(child)
  return child
}

async function done(child: ChildProcess): Promise<void> {
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`${child.spawnargs[2]} ended with exit code ${code}`)
}

/** Sends 50 rows a second, and has them collected. */
async function produce(id: string, signal: AbortSignal): Promise<void> {
  const columns = ['SKU', 'DESCRIPTION']
  const job = await openJob({ brokers: [broker.address], pipeline: PIPELINE, id, columns, python })
  start('collect', `${id}.csv`, '--job', id, '--follow', '--no-progress')
  const began = Date.now()
  for (let sent = 0; !signal.aborted; await sleep(100)) {
    const rows: Promise<number>[] = []
    for (; sent < (Date.now() - began) / EVENT_EVERY_MS; sent++) rows.push(job.send([String(sent), `event ${sent}`]))
    await Promise.all(rows)
  }
  await job.close()
}

async function scrape(url: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await (await fetch(new URL('/metrics', url))).text()
    await sleep(SCRAPE_EVERY_MS, undefined, { signal }).catch(() => {})
  }
}

interface Use {
  readonly cpuSeconds: number
  readonly residentKb: number
  /** Without what it shares with other processes. */
  readonly ownKb: number
}

async function useOf(pid: number): Promise<Use> {
  const [stat, memory] = await Promise.all([read(pid, 'stat'), read(pid, 'smaps_rollup')])
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const kb = (name: string) => Number(new RegExp(`^${name}:\\s*([0-9]+) kB`, 'm').exec(memory)?.[1] ?? 0)
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS,
    residentKb: kb('Rss'),
    ownKb: kb('Private_Clean') + kb('Private_Dirty'),
  }
}

/** Chromium has some renderers that show nothing. That of the page works most. */
async function rendererOfPage(): Promise<Use> {
  const uses: Use[] = []
  for (const { pid } of descendants(process.pid))
    if ((await read(pid, 'cmdline')).includes('--type=renderer')) uses.push(await useOf(pid))
  return uses.reduce((most, use) => (use.cpuSeconds > most.cpuSeconds ? use : most))
}

/** Nothing if it has just ended. */
function read(pid: number, name: string): Promise<string> {
  return readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '')
}

function megabytes(kilobytes: number): string {
  return (kilobytes / 1024).toFixed(kilobytes < 10_240 ? 1 : 0)
}
