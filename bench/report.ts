import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { promisify } from 'node:util'
import { KAFKA_VERSION } from '../src/broker/jvm/broker-files.ts'
import { version } from '../src/support/version.ts'
import type { Section } from './part.ts'
import type { Usage } from './process-tree.ts'

/** One run of one contender. */
export interface Measured {
  readonly name: string
  readonly rows: number
  readonly round: number
  readonly seconds: number
  readonly usage: readonly Usage[]
}

/** `2 x worker 1.40 s 94 MB, broker ...`. */
export function describeUsage(usage: readonly Usage[]): string {
  return usage
    .map(({ name, processes, cpuSeconds, peakBytes }) => {
      const times = processes > 1 ? `${processes} x ` : ''
      const peak = processes > 0 ? ` ${Math.round(peakBytes / 1e6)} MB` : ''
      return `${times}${name} ${cpuSeconds.toFixed(2)} s${peak}`
    })
    .join(', ')
}

/** The CPU seconds of the parts for which `counts`. */
export function cpuOf(usage: readonly Usage[], counts: (name: string) => boolean): number {
  return usage.filter(({ name }) => counts(name)).reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0)
}

/** The run whose time is the median. Of an even number it is the slower one of the middle. */
export function medianRun(runs: readonly Measured[]): Measured {
  return runs.toSorted((a, b) => a.seconds - b.seconds)[Math.floor(runs.length / 2)]!
}

/**
 * How many times as fast as the contender `base` this one was, in each round by itself: a load that changes between rounds
 * then counts for both.
 */
export function speedUps(measured: readonly Measured[], name: string, base: string): number[] {
  const of = (who: string) => measured.filter(each => each.name === who)
  return of(name).flatMap(({ round, seconds }) => {
    const other = of(base).find(each => each.round === round)
    return other ? [other.seconds / seconds] : []
  })
}

/** `1.83 (1.80 to 1.86)`: the median, and the lowest and the highest. A dash if there is none. */
export function spread(numbers: readonly number[], digits = 2): string {
  if (numbers.length === 0) return '-'
  const text = (number: number) => number.toFixed(digits)
  if (numbers.length === 1) return text(numbers[0]!)
  return `${text(median(numbers))} (${text(Math.min(...numbers))} to ${text(Math.max(...numbers))})`
}

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  const half = sorted.length / 2
  return sorted.length % 2 ? sorted[Math.floor(half)]! : (sorted[half - 1]! + sorted[half]!) / 2
}

const USAGE = 'CPU seconds and peak memory by part, of the median run'

/** A line for each contender: times, how many times as fast as `base`, CPU seconds and peak memory. */
export function timeTable(measured: readonly Measured[], base: string): string[] {
  const lines = namesOf(measured).map(name => {
    const runs = measured.filter(each => each.name === name)
    const times = runs.map(({ seconds }) => seconds)
    const cells = [median(times).toFixed(2), spread(speedUps(measured, name, base)), listed(times)]
    return row([name, ...cells, describeUsage(medianRun(runs).usage)])
  })
  return table(['', 'median s', `times the ${base}`, 'every run, s', USAGE], lines)
}

/** The same, with how much longer than `base` each took, round by round. */
export function differenceTable(measured: readonly Measured[], base: string): string[] {
  const lines = namesOf(measured).map(name => {
    const runs = measured.filter(each => each.name === name)
    const more = runs.flatMap(({ round, seconds }) => {
      const other = measured.find(each => each.name === base && each.round === round)
      return other ? [seconds - other.seconds] : []
    })
    const times = runs.map(({ seconds }) => seconds)
    return row([name, median(times).toFixed(2), spread(more), listed(times), describeUsage(medianRun(runs).usage)])
  })
  return table(['', 'median s', `more than ${base}, s`, 'every run, s', USAGE], lines)
}

export function namesOf(measured: readonly Measured[]): string[] {
  return [...new Set(measured.map(({ name }) => name))]
}

export function table(head: readonly string[], lines: readonly string[]): string[] {
  return [row(head), `|${'---|'.repeat(head.length)}`, ...lines]
}

export function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`.replaceAll('|  |', '| |')
}

/** `4.53, 3.48`. */
export function listed(numbers: readonly number[], digits = 2): string {
  return numbers.map(each => each.toFixed(digits)).join(', ')
}

const HEAD = '# Results\n\n`npm run bench -- --write` wrote this file, each section when its part ran.'

/** Replaces the section with this title, or appends it at the end. The others stay as they are. */
export async function writeSection(path: string, { title, how, lines }: Section, where: string): Promise<void> {
  const text = existsSync(path) ? await readFile(path, 'utf8') : HEAD
  const sections = text.split(/^(?=## )/m).map(section => section.trimEnd())
  const at = sections.findIndex(section => section.startsWith(`## ${title}\n`))
  const section = [`## ${title}`, `${where} ${how}`, lines.join('\n')].join('\n\n')
  sections.splice(at < 0 ? sections.length : at, 1, section)
  await writeFile(path, `${sections.join('\n\n')}\n`)
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

export function inWords(rows: number): string {
  return `${rows.toLocaleString('en')} rows`
}
