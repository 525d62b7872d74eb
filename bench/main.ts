/**
 * Measures every figure that rowmill states about its speed, each beside what it is compared with, in turns, with every
 * output compared. Prints every run; `--write` replaces the sections of these parts in bench/results.md.
 */

import { loadavg } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { preparePython } from '../scripts/prepare-machine.ts'
import { Bench } from './bench.ts'
import { ROOT } from './contenders.ts'
import { choose } from './part.ts'
import { PARTS } from './parts/index.ts'
import { inWords, place, writeSection } from './report.ts'
import { answerHelp } from './usage.ts'

answerHelp(
  'npm run bench -- [--list] [--only NAME,NAME] [--rows 10000,30000] [--rounds 3] [--beside COMMIT] [--write] [--file FILE]',
)
const { values } = parseArgs({
  options: {
    list: { type: 'boolean', default: false },
    only: { type: 'string' },
    rows: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    beside: { type: 'string' },
    write: { type: 'boolean', default: false },
    file: { type: 'string', default: join(ROOT, 'bench/results.md') },
  },
})
const say = (text: string) => process.stderr.write(`bench: ${text}\n`)

if (values.list) {
  for (const { name, what, rows, contenders } of PARTS)
    console.log(`${name.padEnd(16)}${what}\n${' '.repeat(16)}${rows.map(inWords).join(', ')}: ${contenders.join(', ')}`)
} else await run()

async function run(): Promise<void> {
  const { parts, contenders } = choose(PARTS, values.only)
  if (values.write && contenders !== null) throw new RangeError('--write needs whole parts: name no contender')
  const sizes = values.rows?.split(',').map(wholeNumber)
  const rounds = wholeNumber(values.rounds)
  const python = await preparePython(say)
  const bench = await Bench.open({ python, rounds, only: contenders, beside: values.beside ?? null, say })
  try {
    for (const part of parts) {
      for (const rows of sizes ?? part.rows) {
        say(`${part.name}, ${inWords(rows)}: ${part.what}`)
        const before = loadavg()[0]!
        const section = await part.measure(bench, rows)
        console.log(`\n${[section.title, ...section.lines].join('\n')}\n`)
        const load = `Load average before and after: ${before.toFixed(2)} and ${loadavg()[0]!.toFixed(2)}.`
        if (values.write) await writeSection(values.file, section, `${await place(python)} ${load}`)
      }
    }
  } finally {
    await bench.close()
  }
}

function wholeNumber(text: string): number {
  if (/^[1-9][0-9]{0,8}$/.test(text)) return Number(text)
  throw new RangeError(`${text} must be a whole number from 1 to 999999999`)
}
