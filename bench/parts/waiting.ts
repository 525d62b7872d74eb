import { join } from 'node:path'
import { type Contender, ROOT, rowmill } from '../contenders.ts'
import type { Part } from '../part.ts'
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

const CLASSIFIER = join(ROOT, 'bench/wait.py')
const WAIT_MS = 4
const WORKERS = [8, 16]
const nameOf = (workers: number) => `${workers} waiting workers`

export const waiting: Part = {
  name: 'waiting',
  what: `8 and 16 workers whose Python classifier waits ${WAIT_MS} ms for each row`,
  rows: [100_000],
  contenders: WORKERS.map(nameOf),
  async measure(bench, rows) {
    const { python } = bench
    const broker = await bench.broker()
    const files = { input: await bench.rows(rows), wanted: await bench.expected(rows, withoutWaiting(python)) }
    const contenders = WORKERS.map(workers =>
      rowmill(nameOf(workers), {
        ...{ python, broker, classifier: CLASSIFIER, options: ['--workers', String(workers)] },
        environment: { WAIT_MS: String(WAIT_MS) },
      }),
    )
    const measured = await bench.interleave(
      contenders.map(each => bench.runner(each, files)),
      rows,
    )
    return {
      title: `Workers that wait, ${inWords(rows)}`,
      how:
        `Classifier bench/wait.py: ${WAIT_MS} ms for each row. The speed-up is over ${WAIT_MS} ms times the rows: what the ` +
        'waiting alone takes one after the other, with no start, no reading and no writing. Each time is that of a whole ' +
        'command on a warm broker. Waiting needs no core, so all of these workers fit on this machine.',
      lines: waitingTable(measured),
    }
  },
}

export function waitingTable(measured: readonly Measured[]): string[] {
  const lines = namesOf(measured).map(name => {
    const runs = measured.filter(each => each.name === name)
    const times = runs.map(({ seconds }) => seconds)
    const speedUp = runs.map(({ rows, seconds }) => (rows * WAIT_MS) / 1000 / seconds)
    return row([name, median(times).toFixed(2), spread(speedUp), listed(times), describeUsage(medianRun(runs).usage)])
  })
  return table(
    ['', 'median s', 'speed-up', 'every run, s', 'CPU seconds and peak memory by part, of the median run'],
    lines,
  )
}

function withoutWaiting(python: string): Contender {
  const job = join(ROOT, 'examples/serial_job.py')
  return {
    name: 'wait.py without waiting',
    command: (input, output) => [python, job, input, output, '--classifier', CLASSIFIER],
    environment: { WAIT_MS: '0' },
  }
}
