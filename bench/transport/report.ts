import { writeFile } from 'node:fs/promises'
import { median, place } from '../report.ts'
import { type Cost, type Pair, ratioOf } from './pairs.ts'

export interface Conditions {
  readonly python: string
  readonly rows: number
  readonly pairs: number
  /** The load averages of the machine before and after. */
  readonly loads: readonly (readonly number[])[]
  /** The part of the used CPU time, from 0 to 1, that niced processes took: work of others. */
  readonly niced: number
}

/** `plaintext 3.10 s, CPU 3.90 s, broker 0.80 s, 57.1 MB; zstd 3.40 s, ...`. */
export function describePair({ name, plaintext, other }: Pair): string {
  return `plaintext ${describeCost(plaintext)}; ${name} ${describeCost(other)}`
}

function describeCost({ seconds, ownCpu, brokerCpu, diskBytes }: Cost): string {
  return `${seconds.toFixed(2)} s, CPU ${ownCpu.toFixed(2)} s, broker ${brokerCpu.toFixed(2)} s, ${megabytes(diskBytes)} MB`
}

/** Writes everything as Markdown. */
export async function writeReport(path: string, pairs: readonly Pair[], conditions: Conditions): Promise<void> {
  const { python, rows, pairs: count, loads, niced } = conditions
  const names = [...new Set(pairs.map(({ name }) => name))]
  const of = (name: string) => pairs.filter(pair => pair.name === name)
  const text = [
    '# What TLS and compression cost',
    `\`npm run bench:transport -- --rows ${rows} --pairs ${count} --write\` wrote this file. ${await place(python)}`,
    HOW,
    `${rows.toLocaleString('en')} rows, ${count} pairs for each way. Load average before and after: ` +
      `${loads.map(([minute]) => minute!.toFixed(2)).join(' and ')}. Other work at a low priority (nice) took ` +
      `${Math.round(niced * 100)} % of the CPU time that the machine spent${niced > 0.05 ? OTHER_WORK : ''}.`,
    '## Times plaintext',
    'The median of the pairs, and the lowest and the highest of them.',
    table(
      FIGURES.map(([title]) => title),
      names.map(name => [name, ...FIGURES.map(([, figure]) => ratio(of(name), figure))]),
    ),
    '## Medians',
    table(
      ['wall s', 'rows/s', 'CPU s of rowmill', 'CPU s of the broker', 'MB on its disk'],
      [
        medians(
          'plaintext',
          pairs.map(({ plaintext }) => plaintext),
          rows,
        ),
        ...names.map(name =>
          medians(
            name,
            of(name).map(({ other }) => other),
            rows,
          ),
        ),
      ],
    ),
  ]
  await writeFile(path, `${text.join('\n\n')}\n`)
}

const HOW =
  'Rows of examples/make_rows.py pass through one worker (bench/pass.ts), from file to file. Each way runs in pairs with ' +
  'plaintext without a codec, right before or right after it by turns. `none` is plaintext too, so its spread is the ' +
  'noise of the others. SASL_SSL logs in with SCRAM-SHA-512. The TLS version and the cipher are those that Node and Java ' +
  'agree on. One broker serves all of it, on the same cores and over the loopback interface: a network that is slow ' +
  'makes compression cheaper than it is here. Unlike the local broker of rowmill, its JVM uses both compilers, as one of ' +
  'a cluster does. CPU of rowmill is that of the command and its worker. Outputs were compared byte by byte.'
const OTHER_WORK = ': compare the CPU seconds, and not the wall times'

const FIGURES: readonly (readonly [string, keyof Cost])[] = [
  ['CPU of rowmill', 'ownCpu'],
  ['CPU of the broker', 'brokerCpu'],
  ['bytes on its disk', 'diskBytes'],
  ['wall', 'seconds'],
]

function ratio(pairs: readonly Pair[], figure: keyof Cost): string {
  const { median, lowest, highest } = ratioOf(pairs, figure)
  return `${median.toFixed(2)} (${lowest.toFixed(2)} to ${highest.toFixed(2)})`
}

function medians(name: string, costs: readonly Cost[], rows: number): string[] {
  const middle = (figure: keyof Cost) => median(costs.map(cost => cost[figure]))
  const seconds = middle('seconds')
  const speed = Math.round(rows / seconds).toLocaleString('en')
  const cpu = [middle('ownCpu').toFixed(2), middle('brokerCpu').toFixed(2)]
  return [name, seconds.toFixed(2), speed, ...cpu, megabytes(middle('diskBytes'))]
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}

function table(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [`| | ${head.join(' | ')} |`, `|${'---|'.repeat(head.length + 1)}`, ...lines.map(line)].join('\n')
}
