import { rowmill, SERIAL, serialJob } from '../contenders.ts'
import { endsWithItsRun, keepsBroker } from '../local-kafka.ts'
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
    const local = (name: string, environment: Record<string, string>) =>
      bench.runner(rowmill(name, { python, broker: null, environment }), files)
    const kept = local(KEPT, {})
    const runners = [
      bench.runner(serialJob(python), files),
      local(FIRST, endsWithItsRun()),
      kept,
      bench.runner(rowmill(WARM, { python, broker: warm }), files),
    ]
    if (bench.isChosen(KEPT)) await kept.run() // it leaves the broker that the others find
    const measured = await bench.interleave(runners, rows)
    const without = keepsBroker() ? '' : ' This rowmill keeps no broker, so that line is the first time once more.'
    return {
      title: `Start, ${inWords(rows)}`,
      how:
        'Classifier examples/black_box.py, the default number of workers. Each time is that of a whole command. The first ' +
        `time, rowmill starts a local Kafka and ends it; every download was there before.${without}`,
      lines: differenceTable(measured, SERIAL),
    }
  },
}
