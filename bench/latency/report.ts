import { writeFile } from 'node:fs/promises'
import { median, place } from '../report.ts'
import type { Contender } from './contenders.ts'
import type { Gaps } from './join-leave.ts'
import { type Spread, spreadOf } from './percentiles.ts'

/** One stretch of rows through one contender. */
export interface Run {
  readonly name: string
  readonly rowsPerSecond: number
  /** Milliseconds from the publish of each row to its result. */
  readonly times: readonly number[]
  readonly lost: number
}

export interface MeasuredLatency {
  readonly runs: readonly Run[]
  readonly ofPandas: readonly Run[]
  readonly gaps: readonly Gaps[]
  readonly pandasGaps: readonly Gaps[]
  readonly configured: readonly Pick<Contender, 'name' | 'configuration'>[]
  /** The load averages of the machine before and after. */
  readonly loads: readonly (readonly number[])[]
}

export interface Conditions {
  readonly python: string
  readonly seconds: number
  readonly rounds: number
}

/** `  100 rows/s  rowmill   p50 2.1 ms  p99 5.0 ms  max 12 ms  (2000 rows, 0 lost)`. */
export function describeRun({ name, rowsPerSecond, times, lost }: Run): string {
  if (times.length === 0) return `${name}: nothing came, ${lost} lost`
  const { p50, p99, max } = spreadOf(times)
  const spread = `p50 ${ms(p50).padStart(6)} ms  p99 ${ms(p99).padStart(6)} ms  max ${ms(max).padStart(6)} ms`
  return `${String(rowsPerSecond).padStart(6)} rows/s  ${name.padEnd(20)} ${spread}  (${times.length} rows, ${lost} lost)`
}

/** Writes everything as Markdown. */
export async function writeReport(path: string, measured: MeasuredLatency, conditions: Conditions): Promise<void> {
  const { runs, ofPandas, gaps, pandasGaps, configured, loads } = measured
  const rates = [...new Set(runs.map(({ rowsPerSecond }) => rowsPerSecond))]
  const text = [
    '# Latency',
    `\`npm run bench:latency -- --write\` wrote this file. ${await place(conditions.python)}`,
    HOW,
    `${conditions.rounds} rounds, with the contenders in another order each time; ${conditions.seconds} s each at 100 rows/s, half of that at the other rates. ` +
      `Load average before and after: ${loads.map(([minute]) => minute!.toFixed(2)).join(' and ')}.`,
    ...rates.map(rate => section(runs, rate)),
    ...(ofPandas.length > 0 ? ['## What pandas adds', table(ofPandas)] : []),
    ...(gaps.length > 0 ? ['## A worker that joins or leaves', GAPS, gapTable(gaps, pandasGaps)] : []),
    '## As configured',
    ...configured.map(
      ({ name, configuration }) => `${name}:\n\n\`\`\`\n${configuration.join('\n') || 'nothing'}\n\`\`\``,
    ),
  ]
  await writeFile(path, `${text.join('\n\n')}\n`)
}

const HOW =
  'Milliseconds from the call that publishes a row until a reader that hands out rows in order sees its result, both in ' +
  'one process. All contenders run on one local broker at the same time and are measured in turns, after 30,000 rows of ' +
  'warm-up. Between two topics of 8 partitions there are two workers of rowmill with a classifier that returns its ' +
  'rows (bench/pass.ts); or a Kafka Streams application with two threads that copies messages (bench/latency/streams); or ' +
  'nothing: the reader reads what was published. Rows of rowmill are sent and read with `openJob` and `results` of ' +
  'the SDK, the others with the layer below: the same producer, the same messages, the same reading of partitions. A ' +
  'row is some 130 bytes, and is sent at its time, whether or not earlier ones have come. All rows came, in order, ' +
  'unless another number is given.'
const GAPS =
  'The longest time without a visible result at 100 rows/s, from the start of a third worker until 3 s after the group ' +
  'has it, and from its SIGTERM until 3 s after the group has lost it.'

function section(runs: readonly Run[], rate: number): string {
  const of = runs.filter(({ rowsPerSecond }) => rowsPerSecond === rate)
  return `## ${rate.toLocaleString('en')} rows/s\n\n${table(of)}`
}

/** All rows of all rounds together, and each round. */
function table(runs: readonly Run[]): string {
  const lines = [...new Set(runs.map(({ name }) => name))].map(name => {
    const of = runs.filter(run => run.name === name && run.times.length > 0)
    const all = spreadOf(of.flatMap(({ times }) => times))
    const rows = of.reduce((sum, { times }) => sum + times.length, 0)
    const lost = of.reduce((sum, { lost }) => sum + lost, 0)
    const each = of.map(({ times }) => slashed(spreadOf(times))).join(', ')
    const came = `${rows.toLocaleString('en')}${lost > 0 ? ` (${lost} lost)` : ''}`
    return `| ${name} | ${came} | ${ms(all.p50)} | ${ms(all.p99)} | ${ms(all.max)} | ${each} |`
  })
  return ['| | rows | p50 ms | p99 ms | max ms | every run |', '|---|---|---|---|---|---|', ...lines].join('\n')
}

function gapTable(gaps: readonly Gaps[], pandasGaps: readonly Gaps[]): string {
  const line = (name: string, all: readonly number[]) =>
    `| ${name} | ${ms(median(all))} | ${ms(Math.max(...all))} | ${all.map(ms).join(', ')} |`
  const lines = [
    { name: 'TypeScript', of: gaps },
    { name: 'pandas', of: pandasGaps },
  ].flatMap(({ name, of }) => {
    if (of.length === 0) return []
    const [joins, leaves] = [of.map(({ join }) => join), of.map(({ leave }) => leave)]
    return [line(`a worker joins, ${name}`, joins), line(`a worker leaves, ${name}`, leaves)]
  })
  return ['| | median ms | max ms | every time |', '|---|---|---|---|', ...lines].join('\n')
}

function slashed({ p50, p99, max }: Spread): string {
  return `${ms(p50)} / ${ms(p99)} / ${ms(max)}`
}

function ms(milliseconds: number): string {
  return milliseconds.toFixed(milliseconds < 100 ? 1 : 0)
}
