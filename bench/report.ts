import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { promisify } from 'node:util'
import { KAFKA_VERSION } from '../src/broker/jvm/broker-files.ts'
import { version } from '../src/cli/version.ts'
import { PASS, SERIAL } from './contenders.ts'
import type { Fairness } from './fairness.ts'
import type { Usage } from './process-tree.ts'

/** One run of one contender. */
export interface Measured {
  readonly name: string
  readonly rows: number
  readonly seconds: number
  readonly usage: readonly Usage[]
}

/** `2 x worker 1.40 s 94 MB, broker ...`. */
export function describeUsage(usage: readonly Usage[]): string {
  return usage
    .map(({ name, processes, cpuSeconds, peakBytes }) => {
      const times = processes > 1 ? `${processes} x ` : ''
      return `${times}${name} ${cpuSeconds.toFixed(2)} s ${Math.round(peakBytes / 1e6)} MB`
    })
    .join(', ')
}

/** Writes the medians as Markdown: times, ratios to the serial job of the same rounds, CPU seconds and peak memory. */
export async function writeResults(path: string, measured: readonly Measured[], { python }: { python: string }) {
  const sizes = [...new Set(measured.map(({ rows }) => rows))]
  const sections = sizes.map(rows =>
    section(
      rows,
      measured.filter(each => each.rows === rows),
    ),
  )
  const [, ...old] = await readSections(path)
  const kept = old.filter(text => !/^## [0-9,]+ rows\n/.test(text)).map(text => `\n${text.trimEnd()}`)
  const how =
    'Rows of examples/make_rows.py, classifier examples/black_box.py; the pass-through is bench/pass.ts. All contenders of ' +
    'one size ran interleaved, in another order each round; outputs were compared byte by byte.'
  const text = [
    '# Results',
    '',
    '`npm run bench -- --write` wrote this file.',
    '',
    `${await place(python)} ${how}`,
    ...sections,
    ...kept,
  ].join('\n')
  await writeFile(path, `${text}\n`)
}

const RECOVERY_TITLE = '## kill -9 of a worker'

/** Writes only this section; the others stay as they are. */
export async function writeRecovery(
  path: string,
  recovery: Record<'run' | 'work', readonly number[]>,
  { python }: { python: string },
) {
  await writeSection(path, RECOVERY_TITLE, [
    `${await place(python)} Two workers on a warm broker, every option at its default, classifier examples/black_box.py. One ` +
      'worker process is killed in the middle of a job; the time ends at the first result in one of its partitions.',
    '',
    '| its rows move again after | median s | max s | every run, s |',
    '|---|---|---|---|',
    ...Object.entries(recovery).map(([killed, seconds]) => {
      const all = seconds.map(each => each.toFixed(2)).join(', ')
      return `| \`${killed}\` | ${median(seconds).toFixed(2)} | ${Math.max(...seconds).toFixed(2)} | ${all} |`
    }),
  ])
}

const FAIRNESS_TITLE = '## A large job and small ones'

/** Writes only this section; the others stay as they are. */
export async function writeFairness(
  path: string,
  { alone, beside }: { alone: Fairness; beside: Fairness },
  { python, largeRows }: { python: string; largeRows: number },
) {
  const line = (what: string, { jobs, events }: Fairness) => {
    const times = jobs.map(each => each.toFixed(2)).join(', ')
    const [p50, p99, max] = [50, 99, 100].map(part => Math.round(percentile(events, part)))
    return `| ${what} | ${median(jobs).toFixed(2)} | ${times} | ${p50} | ${p99} | ${max} | ${events.length} |`
  }
  await writeSection(path, FAIRNESS_TITLE, [
    `${await place(python)} Two workers on a warm broker, every option at its default, classifier examples/black_box.py, one ` +
      `pipeline. Jobs of 100 rows by \`publish\` and \`collect\`, both started at once, and a live row every 50 ms from its ` +
      `sender to its result in \`results\`: alternately alone and during a job of ${largeRows.toLocaleString('en')} rows that ` +
      'was published before. All of it shares the two cores.',
    '',
    '| | 100 rows, median s | every run, s | live row p50 ms | p99 ms | max ms | live rows |',
    '|---|---|---|---|---|---|---|',
    line('by themselves', alone),
    line('during the large job', beside),
  ])
}

/** Replaces the section with this title, or appends it at the end. */
async function writeSection(path: string, title: string, lines: readonly string[]): Promise<void> {
  const sections = (await readSections(path)).map(text => text.trimEnd())
  const at = sections.findIndex(text => text.startsWith(`${title}\n`))
  sections.splice(at < 0 ? sections.length : at, 1, [title, '', ...lines].join('\n'))
  await writeFile(path, `${sections.join('\n\n')}\n`)
}

/** The given percentile of the numbers. */
export function percentile(numbers: readonly number[], percent: number): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)]!
}

/** The text before the first section, and every section with its title. */
async function readSections(path: string): Promise<string[]> {
  return (await readFile(path, 'utf8')).split(/^(?=## )/m)
}

function section(rows: number, measured: readonly Measured[]): string {
  const names = [...new Set(measured.map(({ name }) => name))]
  const serial = medianSeconds(measured.filter(({ name }) => name === SERIAL))
  const lines = names.map(name => {
    const runs = measured.filter(each => each.name === name)
    const seconds = medianSeconds(runs)
    const ratio = Number.isNaN(serial) ? `${Math.round(rows / seconds)} rows/s` : (serial / seconds).toFixed(2)
    const times = runs.map(run => run.seconds.toFixed(2)).join(', ')
    const middle = runs.toSorted((a, b) => a.seconds - b.seconds)[Math.floor(runs.length / 2)]!
    return `| ${name} | ${seconds.toFixed(2)} | ${ratio} | ${times} | ${describeUsage(middle.usage)} |`
  })
  const ratio = names.includes(PASS) ? 'speed' : 'times the serial job'
  const head = `| | median s | ${ratio} | every run, s | CPU seconds and peak memory by part, of the median run |`
  return ['', `## ${rows.toLocaleString('en')} rows`, '', head, '|---|---|---|---|---|', ...lines].join('\n')
}

function medianSeconds(measured: readonly Measured[]): number {
  return median(measured.map(({ seconds }) => seconds))
}

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  const half = sorted.length / 2
  return sorted.length % 2 ? sorted[Math.floor(half)]! : (sorted[half - 1]! + sorted[half]!) / 2
}

/** The machine and the versions. */
export async function place(python: string): Promise<string> {
  const script = 'import sys, pandas; print(sys.version.split()[0], pandas.__version__)'
  const { stdout } = await promisify(execFile)(python, ['-c', script])
  const [pythonVersion, pandas] = stdout.trim().split(' ')
  const cpu = cpus()[0]?.model ?? 'unknown'
  const kernel = (await readFile('/proc/sys/kernel/osrelease', 'utf8')).trim()
  const gigabytes = Math.round(totalmem() / 2 ** 30)
  return (
    `rowmill ${version()}, Node ${process.versions.node}, Kafka ${KAFKA_VERSION}, Python ${pythonVersion}, pandas ${pandas}; ` +
    `${availableParallelism()} cores (${cpu}), ${gigabytes} GiB, Linux ${kernel}; ${new Date().toISOString().slice(0, 10)}.`
  )
}
