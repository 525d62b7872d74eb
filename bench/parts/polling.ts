import { rm, stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import { type Contender, partOf, rowmill } from '../contenders.ts'
import { ended, start } from '../measure.ts'
import type { Part } from '../part.ts'
import { ProcessTree, type Usage } from '../process-tree.ts'
import { untilWritten } from '../progress.ts'
import { inWords, listed, median, row, spread, table } from '../report.ts'

const WORKERS = [1, 2]
const nameOf = (workers: number) => `rowmill ${workers} worker${workers > 1 ? 's' : ''}`
const IDLE = 'idle broker'
const IDLE_MS = 5000
/** The shares of the output between which a job is neither starting nor ending. */
const [FROM, TO] = [0.2, 0.9]
const COUNTED = ['broker', 'command', 'worker']

/** Milliseconds of CPU time for each second of a job, by part. */
export interface Polling {
  readonly name: string
  readonly seconds: number
  readonly msASecond: ReadonlyMap<string, number>
}

/** What was used between two looks, which are `seconds` apart. */
export function pollingBetween(
  name: string,
  { before, after, seconds }: { before: readonly Usage[]; after: readonly Usage[]; seconds: number },
): Polling {
  const used = (part: string) => {
    const [then, now] = [before, after].map(usage => usage.find(each => each.name === part)?.cpuSeconds ?? 0)
    return now! - then!
  }
  return { name, seconds, msASecond: new Map(COUNTED.map(part => [part, (1000 * used(part)) / seconds])) }
}

export const polling: Part = {
  name: 'polling',
  what: 'CPU time of command, workers and broker for each second of a slow job',
  rows: [15_000],
  contenders: [IDLE, ...WORKERS.map(nameOf)],
  async measure(bench, rows) {
    const { python } = bench
    const broker = await bench.broker()
    await Promise.all([bench.rows(rows), bench.expected(rows)])
    const contenders = WORKERS.flatMap(count =>
      bench.checkouts.map(({ root, label }) =>
        rowmill(nameOf(count) + label, { python, broker, root, options: ['--workers', String(count)] }),
      ),
    ).filter(({ name }) => bench.isChosen(name))
    const all: Polling[] = []
    for (let round = 0; round < bench.rounds; round++) {
      if (bench.isChosen(IDLE)) all.push(said(await idle()))
      for (const each of round % 2 === 0 ? contenders : contenders.toReversed())
        all.push(said(await steady(bench, each, rows)))
    }
    return {
      title: `CPU for each second of a slow job, ${inWords(rows)}`,
      how:
        'Milliseconds of CPU time for each second, without Python, from the moment when a fifth of the output is written ' +
        'until nine tenths are: start and end of the job do not count. Classifier examples/black_box.py, a warm broker.',
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
      listed(
        of.map(({ seconds }) => seconds),
        1,
      ),
    ])
  })
  return table(['', 'ms for each second', ...COUNTED, 'watched, s'], lines)
}

/** The broker by itself: it is busy while nobody uses it. */
async function idle(): Promise<Polling> {
  const tree = new ProcessTree(process.pid, partOf)
  const [before, began] = [tree.now(), performance.now()]
  await sleep(IDLE_MS)
  const seconds = (performance.now() - began) / 1000
  return pollingBetween(IDLE, { before, after: tree.stop(), seconds })
}

async function steady(bench: Bench, { name, command }: Contender, rows: number): Promise<Polling> {
  const [input, wanted, output] = [await bench.rows(rows), await bench.expected(rows), bench.file('out.csv')]
  const { size } = await stat(wanted)
  await rm(output, { force: true })
  const child = start(command(input, output))
  const end = ended(child, name)
  end.catch(() => {}) // it is awaited below
  const tree = new ProcessTree(process.pid, partOf)
  try {
    await untilWritten(output, FROM * size, child)
    const [before, began] = [tree.now(), performance.now()]
    await untilWritten(output, TO * size, child)
    const seconds = (performance.now() - began) / 1000
    const polling = pollingBetween(name, { before, after: tree.now(), seconds })
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
