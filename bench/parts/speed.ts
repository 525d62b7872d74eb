import { spawnSync } from 'node:child_process'
import { BLACK_BOX, gnuParallel, PARALLEL, POOL, pool, rowmill, SERIAL, SLOWER, serialJob } from '../contenders.ts'
import type { Part } from '../part.ts'
import { inWords, timeTable } from '../report.ts'

const WORKERS = [1, 2]
const nameOf = (workers: number) => `rowmill ${workers} worker${workers > 1 ? 's' : ''}`
const COLD = 'rowmill 2 workers cold'

export const speed = beside({
  name: 'speed',
  what: 'a slow pandas classifier: the original job, a pool, GNU parallel and rowmill',
  rows: [10_000, 30_000],
  classifier: BLACK_BOX,
  title: 'Speed',
  told: 'examples/black_box.py',
})

export const slowerSpeed = beside({
  name: 'slower-speed',
  what: 'the same with a classifier that is four times as slow',
  rows: [10_000],
  classifier: SLOWER,
  title: 'Speed with a slower classifier',
  told: 'bench/slower.py, about four times as slow as examples/black_box.py',
})

interface Compared extends Pick<Part, 'name' | 'what' | 'rows'> {
  readonly classifier: string
  readonly title: string
  /** The classifier, in the words of the report. */
  readonly told: string
}

/** The original job and its rivals, all with one classifier that gives the results of the black box. */
function beside({ classifier, title, told, ...part }: Compared): Part {
  return {
    ...part,
    contenders: [SERIAL, POOL, PARALLEL, ...WORKERS.map(nameOf), COLD],
    async measure(bench, rows) {
      const { python } = bench
      const files = { input: await bench.rows(rows), wanted: await bench.expected(rows) }
      const broker = await bench.broker()
      const hasParallel = spawnSync('parallel', ['--version']).status === 0
      if (!hasParallel) bench.say(`${PARALLEL} is left out: it is not installed`)
      const workers = WORKERS.flatMap(count =>
        bench.checkouts.map(({ root, label }) => {
          const options = ['--workers', String(count)]
          return rowmill(nameOf(count) + label, { python, broker, root, classifier, options })
        }),
      )
      const contenders = [
        serialJob(python, classifier),
        pool(python, classifier),
        ...(hasParallel ? [gnuParallel(python, classifier)] : []),
        ...workers,
        rowmill(COLD, { python, broker: null, classifier, options: ['--workers', '2'] }),
      ]
      const measured = await bench.interleave(
        contenders.map(each => bench.runner(each, files)),
        rows,
      )
      const missing = hasParallel ? '' : ' GNU parallel was not installed.'
      return {
        title: `${title}, ${inWords(rows)}`,
        how:
          `Rows of examples/make_rows.py, classifier ${told}, all contenders in turns. Each time is that of a whole ` +
          'command, start included. GNU parallel is --pipepart --block -1 with two jobs. rowmill runs on a warm broker; ' +
          `cold, it starts its own and ends it.${missing}`,
        lines: timeTable(measured, SERIAL),
      }
    },
  }
}
