import { join } from 'node:path'
import { ROOT, rowmill, SERIAL, serialJob } from '../contenders.ts'
import { measure } from '../measure.ts'
import type { Part } from '../part.ts'
import { differenceTable, inWords } from '../report.ts'

const FIRST = 'rowmill first time'
const KEPT = 'rowmill kept broker'
const WARM = 'rowmill warm broker'

export const start: Part = {
  name: 'start',
  what: 'a small job from nothing: no broker, a broker that a run before has left, a broker that is given',
  rows: [1000],
  contenders: [SERIAL, FIRST, KEPT, WARM],
  async measure(bench, rows) {
    const { python } = bench
    const files = { input: await bench.rows(rows), wanted: await bench.expected(rows) }
    const warm = await bench.broker()
    const environment = { XDG_STATE_HOME: bench.file('state') } // no broker of the user is used or ended
    const kept = bench.runner(rowmill(KEPT, { python, broker: null, options: ['--keep'], environment }), files)
    const runners = [
      bench.runner(serialJob(python), files),
      bench.runner(rowmill(FIRST, { python, broker: null }), files),
      kept,
      bench.runner(rowmill(WARM, { python, broker: warm }), files),
    ]
    if (bench.isChosen(KEPT)) await kept.run() // it leaves the broker that the others find
    const measured = await bench.interleave(runners, rows)
    await measure('stop', [process.execPath, join(ROOT, 'bin/rowmill.js'), 'broker', '--stop'], environment)
    return {
      title: `Start, ${inWords(rows)}`,
      how:
        'Classifier examples/black_box.py, the default number of workers. Each time is that of a whole command. The first ' +
        'time, rowmill starts a local Kafka and ends it (--no-keep); every download was there before. The kept broker is one ' +
        'that a run before has left; its CPU time is not counted.',
      lines: differenceTable(measured, SERIAL),
    }
  },
}
