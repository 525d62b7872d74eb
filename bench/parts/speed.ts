import { spawnSync } from 'node:child_process'
import { gnuParallel, PARALLEL, POOL, pool, rowmill, SERIAL, serialJob } from '../contenders.ts'
import type { Part } from '../part.ts'
import { inWords, timeTable } from '../report.ts'

const WORKERS = [1, 2]
const nameOf = (workers: number) => `rowmill ${workers} worker${workers > 1 ? 's' : ''}`
const COLD = 'rowmill 2 workers cold'

export const speed: Part = {
  name: 'speed',
  what: 'a slow pandas classifier: the original job, a pool, GNU parallel and rowmill',
  rows: [10_000, 30_000],
  contenders: [SERIAL, POOL, PARALLEL, ...WORKERS.map(nameOf), COLD],
  async measure(bench, rows) {
    const { python } = bench
    const files = { input: await bench.rows(rows), wanted: await bench.expected(rows) }
    const broker = await bench.broker()
    const hasParallel = spawnSync('parallel', ['--version']).status === 0
    if (!hasParallel) bench.say(`${PARALLEL} is left out: it is not installed`)
    const workers = WORKERS.flatMap(count =>
      bench.checkouts.map(({ root, label }) =>
        rowmill(nameOf(count) + label, { python, broker, root, options: ['--workers', String(count)] }),
      ),
    )
    const contenders = [
      serialJob(python),
      pool(python),
      ...(hasParallel ? [gnuParallel(python)] : []),
      ...workers,
      rowmill(COLD, { python, broker: null, options: ['--workers', '2'] }),
    ]
    const measured = await bench.interleave(
      contenders.map(each => bench.runner(each, files)),
      rows,
    )
    const missing = hasParallel ? '' : ' GNU parallel was not installed.'
    return {
      title: `Speed, ${inWords(rows)}`,
      how:
        'Rows of examples/make_rows.py, classifier examples/black_box.py, all contenders in turns. Each time is that of a ' +
        'whole command, start included. GNU parallel is --pipepart --block -1 with two jobs. rowmill runs on a warm ' +
        `broker; cold, it starts its own and ends it.${missing}`,
      lines: timeTable(measured, SERIAL),
    }
  },
}
