import { type Fairness, measureFairness } from '../fairness.ts'
import { percentile } from '../latency/percentiles.ts'
import type { Part } from '../part.ts'
import { inWords, listed, median, row, table } from '../report.ts'

const SMALL_ROWS = 100

export const fairness: Part = {
  name: 'fairness',
  what: 'small jobs and live rows, alone and during a large job of so many rows',
  rows: [20_000],
  contenders: ['small jobs'],
  async measure(bench, rows) {
    const { python, rounds } = bench
    const [large, small] = [await bench.rows(rows), await bench.rows(SMALL_ROWS)]
    const files = { large, small, expected: await bench.expected(SMALL_ROWS), output: bench.file('out.csv') }
    const broker = await bench.broker()
    const { alone, beside } = await measureFairness({ ...files, python, broker, pipeline: `fairness-${rows}`, rounds })
    return {
      title: 'A large job and small ones',
      how:
        'Two workers on a warm broker, every option at its default, classifier examples/black_box.py, one pipeline. Jobs of ' +
        '100 rows by `publish` and `collect`, both started at once, and a live row every 50 ms from its sender to its ' +
        `result in \`results\`: alternately alone and during a job of ${inWords(rows)} that was published before. All of ` +
        'it shares the two cores.',
      lines: table(
        ['', '100 rows, median s', 'every run, s', 'live row p50 ms', 'p99 ms', 'max ms', 'live rows'],
        [line('by themselves', alone), line('during the large job', beside)],
      ),
    }
  },
}

function line(what: string, { jobs, events }: Fairness): string {
  const sorted = events.toSorted((a, b) => a - b)
  const times = [50, 99, 100].map(part => percentile(sorted, part).toFixed(0))
  return row([what, median(jobs).toFixed(2), listed(jobs), ...times, String(events.length)])
}
