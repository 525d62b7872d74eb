import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { realTime } from '../../src/support/clock.ts'
import { freePort } from '../../test/helpers/free-port.ts'
import type { Runner } from '../bench.ts'
import { passThrough } from '../contenders.ts'
import type { Part } from '../part.ts'
import { cpuOf, inWords, listed, type Measured, median, medianRun, namesOf, row, spread, table } from '../report.ts'

const NOBODY = 'nobody watches'
const METRICS = '--metrics-port'
const LOGS = '--log-format json'
const MONITOR = 'monitor and page'

const EVERY_MS = 1000

export const watched: Part = {
  name: 'watched',
  what: 'rows that only pass through one worker while someone scrapes, reads logs or looks at the page',
  rows: [1_000_000],
  contenders: [NOBODY, METRICS, LOGS, MONITOR],
  async measure(bench, rows) {
    const input = await bench.rows(rows)
    const broker = await bench.broker()
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    const monitor = ['monitor', '--brokers', broker, '--pipeline', 'watched', '--port', String(port), '--quiet']
    const contenders = bench.checkouts.flatMap(({ root, label }) => {
      const way = (name: string, ...options: string[]): Runner => {
        const more = { python: bench.python, root, options: ['--pipeline', 'watched', ...options] }
        return bench.runner(passThrough(name + label, broker, more), { input, wanted: input })
      }
      const scraped = way(METRICS, '--metrics-port', String(port))
      const shown = way(MONITOR)
      return [
        way(NOBODY),
        { ...scraped, run: () => during(everySecond(`${url}/metrics`), scraped.run) },
        way(LOGS, '--log-format', 'json'),
        { ...shown, run: () => withMonitor([join(root, 'bin/rowmill.js'), ...monitor], `${url}/api/stream`, shown) },
      ]
    })
    const measured = await bench.interleave(contenders, rows)
    return {
      title: `Watched, ${inWords(rows)}`,
      how:
        'The rows of the pass-through, in a pipeline that stays. Metrics are scraped every second. The page is that of ' +
        '`rowmill monitor` on the same two cores: its stream of events is read as a browser does, by a process that does not ' +
        `count. CPU is that of all processes but the monitor, compared with the run of the same round in which ${NOBODY}.`,
      lines: watchedTable(measured),
    }
  },
}

export function watchedTable(measured: readonly Measured[]): string[] {
  const jobCpu = ({ usage }: Measured) => cpuOf(usage, part => part !== 'monitor')
  const lines = namesOf(measured).map(name => {
    const runs = measured.filter(each => each.name === name)
    const more = (of: (run: Measured) => number) =>
      runs.flatMap(run => {
        const other = measured.find(each => each.name === NOBODY && each.round === run.round)
        return other ? [(of(run) / of(other) - 1) * 100] : []
      })
    const { usage } = medianRun(runs)
    const monitor = usage.find(part => part.name === 'monitor')
    return row([
      name,
      median(runs.map(({ seconds }) => seconds)).toFixed(2),
      spread(
        more(({ seconds }) => seconds),
        1,
      ),
      median(runs.map(jobCpu)).toFixed(2),
      spread(more(jobCpu), 1),
      monitor?.cpuSeconds.toFixed(2) ?? '-',
      monitor ? String(Math.round(monitor.peakBytes / 1e6)) : '-',
      listed(runs.map(({ seconds }) => seconds)),
    ])
  })
  const head = [
    '',
    'median s',
    '% longer',
    'CPU s',
    '% more CPU',
    'CPU s of the monitor',
    'its peak MB',
    'every run, s',
  ]
  return table(head, lines)
}

/** Does `work` with the stream of events of a monitor open. `args`: those of Node. */
async function withMonitor(args: readonly string[], events: string, work: Runner): ReturnType<Runner['run']> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const exit = new Promise(resolve => child.once('exit', resolve))
  try {
    await firstOutput(child)
    return await during(streamOf(events), work.run)
  } finally {
    child.kill('SIGTERM')
    await exit
  }
}

function firstOutput(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.stdout!.once('data', () => resolve())
    child.once('exit', code => reject(new Error(`rowmill monitor ended with exit code ${code}`)))
  })
}

/** Watches until the work is done. A watcher that saw nothing is an error: nobody would have watched. */
async function during<T>(watcher: (signal: AbortSignal) => Promise<number>, work: () => Promise<T>): Promise<T> {
  const over = new AbortController()
  const seen = watcher(over.signal)
  const done = await work().finally(() => over.abort())
  if ((await seen) === 0) throw new Error('nothing was seen of this run')
  return done
}

/** Gets a page every second, and says how often it was there. A command serves it only while it runs. */
function everySecond(url: string): (signal: AbortSignal) => Promise<number> {
  return async signal => {
    let seen = 0
    while (!signal.aborted) {
      const text = await fetch(url, { signal }).then(
        answer => answer.text(),
        () => '',
      )
      if (text.includes('rowmill_')) seen++
      await realTime.sleep(EVERY_MS, signal)
    }
    return seen
  }
}

/** Reads a stream of events, and says how many parts it had. */
function streamOf(url: string): (signal: AbortSignal) => Promise<number> {
  return async signal => {
    let parts = 0
    try {
      const { ok, body } = await fetch(url, { signal })
      if (!ok) throw new Error(`no stream of events at ${url}`)
      for await (const _ of body!) parts++
    } catch (error) {
      if (!signal.aborted) throw error
    }
    return parts
  }
}
