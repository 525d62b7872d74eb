/**
 * Measures what --read costs beside the call of the original program: pd.read_csv(path) of rows as examples/make_rows.py
 * makes them, learn + cut + prove of the same file, without and with --low-memory, and the CSV source, which reads text
 * without --read. In turns, each in a process of its own. Then what memory a call that says every dtype takes for as many
 * rows and for three times as many. --wide N repeats the five columns N times.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { preparePython } from '../scripts/prepare-machine.ts'
import { answerHelp } from './usage.ts'

interface Once {
  readonly rows: number
  readonly seconds: number
  readonly cpu: number
  readonly peakMB: number
}

const ROOT = join(import.meta.dirname, '..')
answerHelp('node bench/read.ts [--rows 1000000] [--wide 1] [--pairs 5] [--write]')
const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000000' },
    wide: { type: 'string', default: '1' },
    pairs: { type: 'string', default: '5' },
    write: { type: 'boolean', default: false },
  },
})
const say = (text: string) => process.stderr.write(`bench: ${text}\n`)
const run = async (file: string, args: readonly string[]) => (await promisify(execFile)(file, [...args])).stdout
const python = await preparePython(say)
const read = async (way: string, path = input) =>
  JSON.parse(
    way === 'source'
      ? await run(process.execPath, [join(ROOT, 'bench/read-source.ts'), path])
      : await run(python, [join(ROOT, 'bench/read_once.py'), way, path]),
  ) as Once
const folder = await mkdtemp(join(tmpdir(), 'rowmill-bench-'))
const [input, larger] = [join(folder, 'in.csv'), join(folder, 'larger.csv')]
const ways = ['pandas', 'rowmill', 'columns', 'source'] as const
const found: Record<(typeof ways)[number], Once[]> = { pandas: [], rowmill: [], columns: [], source: [] }
const before = loadavg()[0]!
try {
  await run(python, [join(ROOT, 'examples/make_rows.py'), values.rows, input])
  const repeated = 'import sys; t = [line.rstrip() for line in open(sys.argv[1])]; n = int(sys.argv[2])'
  const rewritten = "open(sys.argv[1], 'w').writelines(','.join([line] * n) + '\\n' for line in t)"
  if (values.wide !== '1') await run(python, ['-c', `${repeated}; ${rewritten}`, input, values.wide])
  for (let pair = 0; pair < Number(values.pairs); pair++) {
    for (const way of pair % 2 ? [...ways].reverse() : ways) {
      const once = await read(way)
      found[way].push(once)
      say(`${way}: ${once.seconds.toFixed(2)} s, CPU ${once.cpu.toFixed(2)} s, ${once.peakMB.toFixed(0)} MB`)
    }
  }
  await run(python, [
    '-c',
    'import sys; a = open(sys.argv[1]).readlines(); open(sys.argv[2], "w").writelines(a + a[1:] + a[1:])',
    input,
    larger,
  ])
  const given = [await read('given'), await read('given', larger)] as const
  for (const { rows, peakMB } of given) say(`every dtype given: ${rows} rows, ${peakMB.toFixed(0)} MB`)
  const text = report((await stat(input)).size, given)
  process.stdout.write(text)
  if (values.write) await writeFile(join(ROOT, 'bench/read.md'), text)
} finally {
  await rm(folder, { recursive: true })
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2
}

function report(bytes: number, given: readonly Once[]): string {
  const ratios = (runs: readonly Once[]) =>
    (['seconds', 'cpu'] as const).map(key => spread(runs.map((once, at) => once[key] / found.pandas[at]![key])))
  const spread = (numbers: readonly number[]) =>
    `${median(numbers).toFixed(2)} (${Math.min(...numbers).toFixed(2)} to ${Math.max(...numbers).toFixed(2)})`
  const line = (name: string, runs: readonly Once[], times: string[]) => {
    const [seconds, cpu, peak] = (['seconds', 'cpu', 'peakMB'] as const).map(key => median(runs.map(once => once[key])))
    return `| ${name} | ${seconds!.toFixed(2)} | ${cpu!.toFixed(2)} | ${peak!.toFixed(0)} | ${times.join(' | ')} |`
  }
  return [
    '# What --read costs',
    '',
    '`node bench/read.ts --write` wrote this file.',
    '',
    `${Number(values.rows).toLocaleString('en')} rows of ${5 * Number(values.wide)} columns as examples/make_rows.py makes them, ${Math.round(bytes / 1e6)} MB, with \`pd.read_csv(path)\`. ${values.pairs} pairs, in turns, each run in a process of its own, on one core except the last. Learn, cut and prove are the whole work before the first row leaves; the rows are written to the spool in it. Load average before and after: ${before.toFixed(2)} and ${loadavg()[0]!.toFixed(2)}. Medians, and the lowest and highest of the pairs.`,
    '',
    '| | wall s | CPU s | peak MB | wall, times pandas | CPU, times pandas |',
    '|---|---|---|---|---|---|',
    line('pd.read_csv', found.pandas, ['1', '1']),
    line('learn + cut + prove', found.rowmill, ratios(found.rowmill)),
    line('with --low-memory', found.columns, ratios(found.columns)),
    line('the CSV source, as without --read', found.source, ratios(found.source)),
    '',
    `A call that says every dtype (\`dtype=str\`) is read piece by piece: ${given.map(({ rows, peakMB }) => `${peakMB.toFixed(0)} MB at its peak for ${rows.toLocaleString('en')} rows`).join(', and ')}.`,
    '',
  ].join('\n')
}
