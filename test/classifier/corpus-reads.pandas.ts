/** The hard CSV files read with --read, by both engines of pandas: each batch equals its slice of the whole DataFrame, or pandas fails. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { compareSlices } from './slices.ts'

const CORPUS = join(import.meta.dirname, '../e2e/corpus')
const OPTIONS: Record<string, { readCsv?: Record<string, unknown> }> = JSON.parse(
  readFileSync(join(CORPUS, 'options.json'), 'utf8'),
)
const FILES = readdirSync(CORPUS).filter(name => name.endsWith('.csv'))

/** Arguments of the original job, as they stand in a call. */
function argumentsOf(file: string, engine: string): string {
  const { readCsv = {} } = OPTIONS[file] ?? {}
  return Object.entries({ ...readCsv, engine })
    .map(([name, value]) => `${name}=${literal(value)}`)
    .join(', ')
}

function literal(value: unknown): string {
  if (value === null) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`
  if (typeof value !== 'object') return JSON.stringify(value)
  return `{${Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${literal(item)}`)}}`
}

for (const engine of ['c', 'python']) {
  test(`${FILES.length} hard files read by the engine ${engine}`, async () => {
    const callsOf = (file: string) => [...new Set([`engine='${engine}'`, argumentsOf(file, engine)])]
    const answers = await compareSlices(Object.fromEntries(FILES.map(file => [join(CORPUS, file), callsOf(file)])))
    let same = 0
    for (const file of FILES) {
      for (const [call, [outcome, ...details]] of Object.entries(answers[join(CORPUS, file)]!)) {
        const said = `${file}, pd.read_csv(IN, ${call}): ${outcome} ${details.join(' ')}`
        assert.ok(outcome === 'same' || outcome === 'both fail', said)
        if (outcome === 'same') same++
      }
    }
    assert.ok(same > FILES.length, `${same} calls were the same`)
  })
}
