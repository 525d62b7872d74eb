import { rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import type { Bench, Runner } from '../bench.ts'
import { type Contender, partOf, rowmill } from '../contenders.ts'
import { ended, start } from '../measure.ts'
import type { Part } from '../part.ts'
import { ProcessTree } from '../process-tree.ts'
import {
  describeUsage,
  inWords,
  listed,
  type Measured,
  median,
  medianRun,
  namesOf,
  row,
  spread,
  table,
} from '../report.ts'
import { slowOneWorker } from '../slow-worker.ts'

const FULL = 'one full worker'
const EVEN = 'two full workers'
const MIXED = 'one full and one at a quarter'
/** What a job takes before it has many rows: its time counts as the start, which no further worker shortens. */
const FEW = 'one full worker and few rows'
const FEW_ROWS = 100

export const quarter: Part = {
  name: 'quarter',
  what: 'a worker that gets a quarter of the CPU beside a full one',
  rows: [20_000],
  contenders: [FEW, FULL, EVEN, MIXED],
  async measure(bench, rows) {
    const { python } = bench
    const broker = await bench.broker()
    const contender = (name: string, workers: number) =>
      rowmill(name, { python, broker, options: ['--workers', String(workers)] })
    const files = { input: await bench.rows(rows), wanted: await bench.expected(rows) }
    const few = { input: await bench.rows(FEW_ROWS), wanted: await bench.expected(FEW_ROWS) }
    const shares: number[] = []
    const measured = await bench.interleave(
      [
        bench.runner(contender(FEW, 1), few),
        bench.runner(contender(FULL, 1), files),
        bench.runner(contender(EVEN, 2), files),
        slowed(bench, contender(MIXED, 2), { ...files, shares }),
      ],
      rows,
    )
    return {
      title: `A slow worker beside a full one, ${inWords(rows)}`,
      how:
        'Classifier examples/black_box.py, a warm broker. The Python of one of two workers is stopped and continued by ' +
        `turns as soon as it starts; it got ${spread(shares)} of the time. The capacity allows the time of ${FEW_ROWS} ` +
        'rows, as the start, and the rest of the time of one full worker, divided by 1 plus that share. The cores allow the CPU ' +
        `time of all parts divided by ${availableParallelism()}: what more workers cost, such as one more import of pandas, is in it.`,
      lines: quarterTable(measured, median(shares)),
    }
  },
}

/** Seconds that the workers together need: `start` is what no worker shortens. */
export function allowed({ start, full, workers }: { start: number; full: number; workers: number }): number {
  return start + (full - start) / workers
}

export function quarterTable(measured: readonly Measured[], share: number): string[] {
  const timesOf = (name: string) => measured.filter(each => each.name === name).map(({ seconds }) => seconds)
  const [start, full] = [median(timesOf(FEW)), median(timesOf(FULL))]
  const workers = new Map([
    [FULL, 1],
    [EVEN, 2],
    [MIXED, 1 + share],
  ])
  const lines = namesOf(measured).map(name => {
    const times = timesOf(name)
    const cpu = measured
      .filter(each => each.name === name)
      .map(({ usage }) => usage.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0))
    const best = workers.has(name) ? allowed({ start, full, workers: workers.get(name)! }) : Number.NaN
    const more = Number.isNaN(best)
      ? '-'
      : spread(
          times.map(each => 100 * (each / best - 1)),
          1,
        )
    return row([
      ...[name, median(times).toFixed(2), Number.isNaN(best) ? '-' : best.toFixed(2), more],
      ...[(median(cpu) / availableParallelism()).toFixed(2), listed(times)],
      describeUsage(medianRun(measured.filter(each => each.name === name)).usage),
    ])
  })
  return table(
    [
      ...['', 'median s', 'the capacity allows, s', 'longer than that, %', 'the cores allow, s', 'every run, s'],
      'CPU seconds and peak memory by part, of the median run',
    ],
    lines,
  )
}

function slowed(
  bench: Bench,
  { name, command }: Contender,
  { input, wanted, shares }: { input: string; wanted: string; shares: number[] },
): Runner {
  const output = bench.file('out.csv')
  const run = async () => {
    await rm(output, { force: true })
    const tree = new ProcessTree(process.pid, partOf)
    const began = performance.now()
    const child = start(command(input, output))
    const end = ended(child, name)
    const slow = await Promise.race([slowOneWorker(child.pid!, 2), end.then(() => null)])
    await end
    const seconds = (performance.now() - began) / 1000
    if (slow === null) throw new Error(`${name}: the run ended before it had two workers`)
    await slow.stop()
    shares.push(slow.share())
    await bench.mustBe(wanted, output, name)
    return { seconds, usage: tree.stop() }
  }
  return { name, run }
}
