/** A collector that pauses while a million rows are classified: what it does not read stays in Kafka. */
import assert from 'node:assert/strict'
import { createReadStream, createWriteStream, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { pipeline as pipe } from 'node:stream/promises'
import { test } from 'node:test'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { rowmill, startRowmill, testFolder } from '../helpers/cli.ts'
import { descendants } from '../helpers/processes.ts'
import { until } from '../helpers/until.ts'

const ROWS = 1_000_000
const MB = 1024
const LIMIT_MB = 250
const CLASSIFIER = join(import.meta.dirname, '../../bench/pass.ts')

/** The peak memory of a process so far, in MB, as VmHWM of proc(5). */
function peakOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmHWM:\s*([0-9]+) kB/m.exec(status)![1]) / MB
}

test('a collector stopped for a million rows lets no memory grow, and has all rows when it resumes', async t => {
  const { pipeline } = await testPipeline(t)
  const cli = { env: { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline } }
  const folder = testFolder(t)
  const [input, output] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
  await pipe(Readable.from(lines()), createWriteStream(input))

  const work = startRowmill(['work', '--classifier', CLASSIFIER, '--workers', '2', '--until-done', 'j'], cli)
  const collect = startRowmill(['collect', output, '--job', 'j', '--no-progress'], cli)
  const [worked, collected] = [work.child.pid!, collect.child.pid!]
  t.after(() => {
    collect.child.kill('SIGCONT')
    for (const { child } of [work, collect]) child.kill('SIGKILL')
  })
  const peaks = new Map<number, number>()
  const look = () => {
    for (const { pid } of [{ pid: worked }, { pid: collected }, ...descendants(worked)]) {
      try {
        peaks.set(pid, peakOf(pid))
      } catch {
        // It has ended since.
      }
    }
  }
  const publishing = rowmill(['publish', input, '--job', 'j'], cli)
  await until('the collector runs', () => peakOf(collected) > 60)
  collect.child.kill('SIGSTOP')
  const looking = setInterval(look, 100)
  t.after(() => clearInterval(looking))
  assert.equal((await publishing).code, 0)
  const done = await work.finished
  assert.equal(done.code, 0, done.stderr)
  collect.child.kill('SIGCONT')
  const end = await collect.finished
  clearInterval(looking)
  assert.equal(end.code, 0, end.stderr)
  assert.ok(peaks.size >= 4, `only ${peaks.size} processes were seen`)
  for (const peak of peaks.values()) assert.ok(peak < LIMIT_MB, `${peak} MB`)
  let row = 0
  for await (const line of createInterface({ input: createReadStream(output) })) assert.equal(line, lineOf(row++))
  assert.equal(row, ROWS)
})

function lineOf(row: number): string {
  return `${row},text of row ${row}`
}

function* lines(): Generator<string> {
  yield 'ID,TEXT\n'
  for (let row = 0; row < ROWS; row += 1000)
    yield Array.from({ length: 1000 }, (_, i) => `${lineOf(row + i)}\n`).join('')
}
