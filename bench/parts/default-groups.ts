import { rowmill } from '../contenders.ts'
import type { Part } from '../part.ts'
import { differenceTable, inWords } from '../report.ts'

const LOCAL = "rowmill's local settings"
const DEFAULTS = "Kafka's default settings"
/** Kafka's own values of what rowmill sets for groups and sessions. */
const PROPERTIES = {
  'group.initial.rebalance.delay.ms': '3000',
  'offsets.topic.num.partitions': '50',
  'broker.session.timeout.ms': '9000',
  'broker.heartbeat.interval.ms': '2000',
}

export const defaultGroups: Part = {
  name: 'default-groups',
  what: 'a run on a Kafka with its default group settings, beside one with the settings of the local broker',
  rows: [3000],
  contenders: [LOCAL, DEFAULTS],
  async measure(bench, rows) {
    const { python } = bench
    const files = { input: await bench.rows(rows), wanted: await bench.expected(rows) }
    const [local, defaults] = [await bench.broker(), await bench.broker(PROPERTIES)]
    const on = (name: string, broker: string) =>
      bench.checkouts.map(({ root, label }) => bench.runner(rowmill(name + label, { python, broker, root }), files))
    const measured = await bench.interleave([...on(LOCAL, local), ...on(DEFAULTS, defaults)], rows)
    await bench.endBroker(PROPERTIES)
    return {
      title: `Default group settings, ${inWords(rows)}`,
      how:
        'rowmill run with the default number of workers and examples/black_box.py, on two warm brokers that both run all ' +
        `the time. One has ${Object.entries(PROPERTIES)
          .map(([name, value]) => `${name}=${value}`)
          .join(', ')}.`,
      lines: differenceTable(measured, LOCAL),
    }
  },
}
