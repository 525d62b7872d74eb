import { mkdir } from 'node:fs/promises'
import { passThrough } from '../contenders.ts'
import type { Part } from '../part.ts'
import {
  cpuOf,
  inWords,
  listed,
  type Measured,
  median,
  medianRun,
  namesOf,
  row,
  speedUps,
  spread,
  table,
} from '../report.ts'
import { STREAMS, StreamsCopy } from '../streams-copy.ts'

const PASS = 'rowmill file to file'

export const pass: Part = {
  name: 'pass',
  what: 'rows that only pass through one worker, beside Kafka Streams and another commit (--beside)',
  rows: [1_000_000],
  contenders: [PASS, STREAMS],
  async measure(bench, rows) {
    const input = await bench.rows(rows)
    const broker = await bench.broker()
    const rowmill = bench.checkouts.map(({ root, label }) =>
      bench.runner(passThrough(PASS + label, broker, { python: bench.python, root }), { input, wanted: input }),
    )
    const folder = bench.file('streams')
    await mkdir(folder, { recursive: true })
    const copy = { broker, input, folder, say: bench.say }
    const streams = bench.isChosen(STREAMS) ? await StreamsCopy.open(copy) : null
    const measured = await bench.interleave([...rowmill, ...(streams ? [streams] : [])], rows)
    await streams?.close()
    const beside = bench.checkouts[1]
    return {
      title: `Pass-through, ${inWords(rows)}`,
      how:
        'Rows of examples/make_rows.py, 130 bytes each, a warm broker. rowmill reads a CSV file, sends blocks of 100 rows ' +
        'through one worker with bench/pass.ts, and writes, syncs and checks a CSV file; its output is compared. Kafka ' +
        'Streams (two threads, at least once, linger 0) copies the same rows, one message each, from one topic of 8 ' +
        'partitions to another, with no file at either end; its messages are counted by partition. Both times begin with ' +
        'the start of the first process. Client CPU is all but the broker.',
      lines: passTable(measured, beside ? PASS + beside.label : STREAMS),
    }
  },
}

/** `base`: the contender that the others are compared with. */
export function passTable(measured: readonly Measured[], base: string): string[] {
  const lines = namesOf(measured).map(name => {
    const runs = measured.filter(each => each.name === name)
    const rates = runs.map(({ rows, seconds }) => rows / seconds / 1000)
    const cpu = (counts: (part: string) => boolean) =>
      runs.map(({ usage, rows }) => (cpuOf(usage, counts) * 1e6) / rows)
    const memory = medianRun(runs)
      .usage.filter(({ processes }) => processes > 0)
      .map(({ name, peakBytes }) => `${name} ${Math.round(peakBytes / 1e6)}`)
    return row([
      name,
      median(rates).toFixed(0),
      spread(speedUps(measured, name, base)),
      spread(
        cpu(part => part !== 'broker'),
        1,
      ),
      spread(
        cpu(part => part === 'broker'),
        1,
      ),
      memory.join(', '),
      listed(runs.map(({ seconds }) => seconds)),
    ])
  })
  const head = ['', '1,000 rows/s', `times ${base}`, 'client CPU s per M rows', 'broker CPU s per M rows']
  return table([...head, 'peak memory, MB', 'every run, s'], lines)
}
