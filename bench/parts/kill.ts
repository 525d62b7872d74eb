import type { Part } from '../part.ts'
import { measureRecovery } from '../recovery.ts'
import { listed, median, row, table } from '../report.ts'

const WAYS = ['run', 'work'] as const
const KILLS_A_ROUND = 2

export const kill: Part = {
  name: 'kill',
  what: 'kill -9 of one of two workers: how long its rows stand still',
  rows: [20_000],
  contenders: WAYS.map(way => `kill in ${way}`),
  async measure(bench, rows) {
    const { python } = bench
    const [broker, input] = [await bench.broker(), await bench.rows(rows)]
    const times = new Map<string, number[]>()
    for (let time = 1; time <= bench.rounds * KILLS_A_ROUND; time++) {
      for (const way of WAYS.filter(way => bench.isChosen(`kill in ${way}`))) {
        const output = bench.file('out.csv')
        const seconds = await measureRecovery(way, { python, broker, input, output, pipeline: `kill-${rows}-${time}` })
        if (way === 'run') await bench.mustBe(await bench.expected(rows), output, 'rowmill run')
        console.log(`kill -9 of a worker of ${way}, until its rows move again ${seconds.toFixed(2)} s`)
        times.set(way, [...(times.get(way) ?? []), seconds])
      }
    }
    return {
      title: 'kill -9 of a worker',
      how:
        'Two workers on a warm broker, every option at its default, classifier examples/black_box.py. One worker process is ' +
        'killed in the middle of a job; the time ends at the first result in one of its partitions. `run` has a pipeline ' +
        'of its own, and its output is compared; `work` shares one.',
      lines: table(
        ['', 'median s', 'max s', 'every time, s'],
        [...times].map(([way, each]) =>
          row([`rows of ${way} move again after`, median(each).toFixed(2), Math.max(...each).toFixed(2), listed(each)]),
        ),
      ),
    }
  },
}
