import { join } from 'node:path'
import type { Checkout } from '../checkout.ts'
import { type Contender, rowmill, SERIAL, serialJob } from '../contenders.ts'
import { type Cost, measure } from '../measure.ts'
import type { Part } from '../part.ts'
import { differenceTable, inWords } from '../report.ts'

const FIRST = 'rowmill first time'
const LEAVES = 'rowmill first time leaves its broker'
const KEPT = 'rowmill kept broker'
const WARM = 'rowmill warm broker'

const KEEP = ['--keep']

export const start: Part = {
  name: 'start',
  what: 'a small job from nothing: no broker, a broker that a run before has left, a broker that is given',
  rows: [1000],
  contenders: [SERIAL, FIRST, LEAVES, KEPT, WARM],
  async measure(bench, rows) {
    const { python } = bench
    const files = { input: await bench.rows(rows), wanted: await bench.expected(rows) }
    const warm = await bench.broker()
    const place = (name: string) => ({ XDG_STATE_HOME: bench.file(name) }) // no broker of the user is used or ended
    const keptOf = ({ label }: Checkout) => place(`kept${label.replaceAll(' ', '-')}`)
    const starts = bench.checkouts.flatMap(checkout => {
      const { root, label } = checkout
      const own = { python, broker: null, root }
      const [left, environment] = [place('left'), keptOf(checkout)]
      const leaves = bench.runner(rowmill(LEAVES + label, { ...own, options: KEEP, environment: left }), files)
      return [
        bench.runner(rowmill(FIRST + label, own), files),
        { ...leaves, run: () => leaves.run().finally(() => stopKept(root, left)) },
        bench.runner(rowmill(KEPT + label, { ...own, options: KEEP, environment }), files),
        bench.runner(rowmill(WARM + label, { ...own, broker: warm }), files),
      ]
    })
    const runners = [bench.runner(serialJob(python), files), ...starts]
    const isKept = ({ name }: { name: string }) => name.startsWith(KEPT) && bench.isChosen(name)
    for (const each of starts.filter(isKept)) await each.run() // it leaves the broker that the others find
    const measured = await bench.interleave(runners, rows)
    for (const checkout of bench.checkouts) await stopKept(checkout.root, keptOf(checkout))
    return {
      title: `Start, ${inWords(rows)}`,
      how:
        'Classifier examples/black_box.py, the default number of workers. Each time is that of a whole command. The first ' +
        'time, rowmill starts a local Kafka and ends it (--no-keep), or leaves it; every download was there before. The kept ' +
        'broker is one that a run before has left; its CPU time is not counted.',
      lines: differenceTable(measured, SERIAL),
    }
  },
}

function stopKept(root: string, environment: Contender['environment']): Promise<Cost> {
  return measure('stop', [process.execPath, join(root, 'bin/rowmill.js'), 'broker', '--stop'], environment)
}
