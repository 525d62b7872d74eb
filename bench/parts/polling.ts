import { rm, stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import { BLACK_BOX, type Contender, partOf, rowmill, SLOWER } from '../contenders.ts'
import { ended, start } from '../measure.ts'
import type { Part } from '../part.ts'
import { ProcessTree, type Usage } from '../process-tree.ts'
import { untilWritten } from '../progress.ts'
import { inWords, listed, median, row, spread, table } from '../report.ts'

/** One of these has a classifier that is four times as slow, and half of the rows. */
const CASES = [
  { name: 'rowmill 1 worker', workers: 1, slower: false },
  { name: 'rowmill 2 workers', workers: 2, slower: false },
  { name: 'rowmill 2 workers and the slower classifier', workers: 2, slower: true },
]
const BATCH_ROWS = 100
const IDLE = 'idle broker'
const IDLE_MS = 5000
/** The shares of the output between which a job is neither starting nor ending. */
const [FROM, TO] = [0.2, 0.9]
const COUNTED = ['broker', 'command', 'worker']

/** Milliseconds of CPU time for each second of a job, by part. */
export interface Polling {
  readonly name: string
  readonly seconds: number
  /** How many batches of 100 rows were written meanwhile. */
  readonly batches: number
  readonly msASecond: ReadonlyMap<string, number>
}

/** What was used between two looks, which are `seconds` apart. */
export function pollingBetween(
  name: string,
  { before, after, ...watched }: Pick<Polling, 'seconds' | 'batches'> & Record<'before' | 'after', readonly Usage[]>,
): Polling {
  const used = (part: string) => {
    const [then, now] = [before, after].map(usage => usage.find(each => each.name === part)?.cpuSeconds ?? 0)
    return now! - then!
  }
  return { name, ...watched, msASecond: new Map(COUNTED.map(part => [part, (1000 * used(part)) / watched.seconds])) }
}

export const polling: Part = {
  name: 'polling',
  what: 'CPU time of command, workers and broker for each second of a slow job',
  rows: [15_000],
  contenders: [IDLE, ...CASES.map(({ name }) => name)],
  async measure(bench, rows) {
    const { python } = bench
    const broker = await bench.broker()
    const contenders = CASES.filter(({ name }) => bench.isChosen(name)).flatMap(({ name, workers, slower }) =>
      bench.checkouts.map(({ root, label }) => ({
        rows: slower ? Math.round(rows / 2) : rows,
        contender: rowmill(name + label, {
          ...{ python, broker, root, classifier: slower ? SLOWER : BLACK_BOX },
          options: ['--workers', String(workers)],
        }),
      })),
    )
    for (const { rows } of contenders) await bench.expected(rows)
    const all: Polling[] = []
    for (let round = 0; round < bench.rounds; round++) {
      if (bench.isChosen(IDLE)) all.push(said(await idle()))
      for (const each of round % 2 === 0 ? contenders : contenders.toReversed())
        all.push(said(await steady(bench, each)))
    }
    return {
      title: `CPU for each second of a slow job, ${inWords(rows)}`,
      how:
        'Milliseconds of CPU time for each second, and for each batch of 100 rows, without Python, from the moment when a ' +
        'fifth of the output is written until nine tenths are: start and end of the job do not count. Classifier ' +
        'examples/black_box.py; the slower one is bench/slower.py, with half of the rows. A warm broker.',
      lines: pollingTable(all),
    }
  },
}

export function pollingTable(all: readonly Polling[]): string[] {
  const lines = [...new Set(all.map(({ name }) => name))].map(name => {
    const of = all.filter(each => each.name === name)
    const sums = of.map(({ msASecond }) => [...msASecond.values()].reduce((a, b) => a + b, 0))
    const parts = COUNTED.map(part => median(of.map(({ msASecond }) => msASecond.get(part)!)).toFixed(0))
    return row([
      name,
      spread(sums, 0),
      ...parts,
      ...batchColumns(of, sums),
      listed(
        of.map(({ seconds }) => seconds),
        1,
      ),
    ])
  })
  return table(['', 'ms for each second', ...COUNTED, 'batches a second', 'ms for each batch', 'watched, s'], lines)
}

function batchColumns(of: readonly Polling[], sums: readonly number[]): string[] {
  const rates = of.map(({ batches, seconds }) => batches / seconds)
  if (rates.every(rate => rate === 0)) return ['-', '-']
  return [median(rates).toFixed(1), spread(rates.map((rate, i) => sums[i]! / rate))]
}

/** The broker by itself: it is busy while nobody uses it. */
async function idle(): Promise<Polling> {
  const tree = new ProcessTree(process.pid, partOf)
  const [before, began] = [tree.now(), performance.now()]
  await sleep(IDLE_MS)
  const seconds = (performance.now() - began) / 1000
  return pollingBetween(IDLE, { before, after: tree.stop(), seconds, batches: 0 })
}

interface Case {
  readonly rows: number
  readonly contender: Contender
}

async function steady(bench: Bench, { rows, contender: { name, command } }: Case): Promise<Polling> {
  const [input, wanted, output] = [await bench.rows(rows), await bench.expected(rows), bench.file('out.csv')]
  const { size } = await stat(wanted)
  await rm(output, { force: true })
  const child = start(command(input, output))
  const end = ended(child, name)
  end.catch(() => {}) // it is awaited below
  const tree = new ProcessTree(process.pid, partOf)
  try {
    const from = await untilWritten(output, FROM * size, child)
    const [before, began] = [tree.now(), performance.now()]
    const to = await untilWritten(output, TO * size, child)
    const seconds = (performance.now() - began) / 1000
    const batches = (((to - from) / size) * rows) / BATCH_ROWS
    const polling = pollingBetween(name, { before, after: tree.now(), seconds, batches })
    await end
    await bench.mustBe(wanted, output, name)
    return polling
  } finally {
    tree.stop()
  }
}

function said(polling: Polling): Polling {
  const parts = [...polling.msASecond].map(([part, ms]) => `${part} ${ms.toFixed(0)}`).join(', ')
  console.log(`${polling.name.padEnd(32)}${polling.seconds.toFixed(1)} s watched; ms for each second: ${parts}`)
  return polling
}
