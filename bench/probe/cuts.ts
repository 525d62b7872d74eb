/**
 * How often each cut finds a function that looks at other rows, over random inputs. The figures are in docs/decisions.md.
 *
 *     node bench/probe/cuts.ts [INPUTS] [ROWS]
 */

import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { openClassifier } from '../../src/classifier/open.ts'
import { newJob } from '../../src/core/job.ts'
import { APART, type RowCut } from '../../src/probe/cuts.ts'
import { judge } from '../../src/probe/judge.ts'
import type { Sample } from '../../src/probe/sample.ts'
import { type Trial, Trials } from '../../src/probe/trials.ts'

const FUNCTIONS = join(import.meta.dirname, 'looks.py')
const PYTHON = join(import.meta.dirname, '../../.venv/bin/python')
const [inputs = 20, rows = 60] = process.argv.slice(2).map(Number)

const runs = (first: number, each: number) => (count: number) => {
  const batches: number[][] = []
  for (let from = 0; from < count; from += from === 0 ? first : each)
    batches.push(range(from, Math.min(count, from + (from === 0 ? first : each))))
  return batches
}
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)
const every = (step: number) => (count: number) =>
  range(0, step).map(at => range(0, count).filter(i => i % step === at))

const cut = (name: string, batches: (count: number) => number[][]): RowCut => ({
  name,
  batches: ({ length }) => batches(length),
})

const CANDIDATES: readonly RowCut[] = [
  { ...APART, name: 'apart, as the probe of a job' },
  cut('single rows', runs(1, 1)),
  cut('pairs', runs(2, 2)),
  cut('batches of 7, the first of 4', runs(4, 7)),
  cut('eight batches, the first half as long', count => runs(Math.ceil(count / 16), Math.ceil(count / 8))(count)),
  cut('two halves', count => runs(Math.ceil(count / 2), count)(count)),
  cut('a third and the rest', count => runs(Math.ceil(count / 3), count)(count)),
  cut('the first row and the rest', runs(1, 1e6)),
  cut('every second row', every(2)),
  cut('every eighth row', every(8)),
]

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const COLUMNS = ['ID', 'NAME', 'N', 'RARE', 'DAY', 'MONTH', 'HUGE']

function sampleOf(seed: number): Sample {
  const chance = seeded(seed)
  const below = (most: number) => Math.floor(chance() * most)
  const two = (n: number) => String(n).padStart(2, '0')
  const [names, numbers, rare] = [2 + below(rows), 2 + below(1000), chance() * 0.3]
  const row = (id: number) => {
    const [day, month] = [1 + below(28), 1 + below(12)]
    return [
      ...[`${id}`, `n${below(names)}`, `${below(numbers)}`, chance() < rare ? `r${below(9)}` : ''],
      chance() < rare ? `${two(day)}.${two(month)}.2024` : `2024-${two(month)}-${two(day)}`,
      `${two(chance() < rare ? day : Math.min(day, 12))}/${two(month)}/2024`,
      chance() < rare / 5 ? '18446744073709551615' : below(9) === 0 ? '-1' : `00${below(3)}`,
    ]
  }
  const seqs = range(0, rows)
  return { rows: seqs.map(row), seqs, lines: seqs.map(seq => seq + 2) }
}

const names = [...readFileSync(FUNCTIONS, 'utf8').matchAll(/^def (\w+)/gm)].map(([, name]) => name!)
const job = newJob({
  ...{ id: 'cuts', columns: COLUMNS, partitions: 1, blockRows: 100, topic: 'rows', rowsFrom: [0], resultsFrom: [0] },
  ...{ indexKind: 'integer', at: 0, by: 'cuts', options: [{ name: 'readCsv', value: '{}' }] },
})
const found = new Map<string, boolean[][]>()

async function measure(name: string): Promise<void> {
  const classifier = openClassifier({
    target: `${FUNCTIONS}:${name}`,
    python: PYTHON,
    by: 'cuts',
    memoryMB: null,
    onOutput() {},
  })
  await classifier.start()
  const trials = new Trials({ classifier, job, timeoutMs: 60_000 })
  const all: boolean[][] = []
  for (let seed = 0; seed < inputs; seed++) {
    const sample = sampleOf(seed)
    const one: boolean[] = []
    const known = new Map<string, Promise<Trial>>()
    // These functions answer the same every time, so no trial needs to be repeated.
    const remembering: Pick<Trials, 'classify'> = {
      classify(rows, cut) {
        if (!known.has(cut.name)) known.set(cut.name, trials.classify(rows, cut))
        return known.get(cut.name)!
      },
    }
    for (const cut of CANDIDATES) one.push((await judge(remembering, { job, sample, cuts: [cut] })).fault !== null)
    all.push(one)
  }
  found.set(name, all)
  await classifier.close()
}

const turns = names.values()
const serve = async () => {
  for (const name of turns) await measure(name)
}
await Promise.all(Array.from({ length: availableParallelism() }, serve))

const percent = (of: readonly boolean[]) => `${Math.round((100 * of.filter(Boolean).length) / of.length)}`
console.log(`| ${rows} rows, ${inputs} inputs | ${CANDIDATES.map(({ name }) => name).join(' | ')} |`)
console.log(`|---|${CANDIDATES.map(() => '---|').join('')}`)
for (const name of names)
  console.log(`| ${name} | ${CANDIDATES.map((_, at) => percent(found.get(name)!.map(one => one[at]!))).join(' | ')} |`)
const every_ = names.flatMap(name => found.get(name)!)
console.log(`| all | ${CANDIDATES.map((_, at) => percent(every_.map(one => one[at]!))).join(' | ')} |`)
const triples = CANDIDATES.flatMap((_, a) =>
  range(a + 1, CANDIDATES.length).flatMap(b => range(b + 1, CANDIDATES.length).map(c => [a, b, c])),
)
const ranked = triples
  .map(cuts => ({ cuts, share: every_.filter(one => cuts.some(at => one[at])).length / every_.length }))
  .sort((a, b) => b.share - a.share)
for (const { cuts, share } of ranked)
  console.log(`${(100 * share).toFixed(1)} %: ${cuts.map(at => CANDIDATES[at]!.name).join(', ')}`)
console.log(`all cuts together: ${percent(every_.map(one => one.some(Boolean)))} %`)
