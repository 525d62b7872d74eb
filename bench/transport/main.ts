/**
 * Measures what TLS and each codec cost, with rows that only pass through. Each way runs in pairs with plaintext without a
 * codec, right before or right after it by turns, on one warm broker. Every output is compared. Prints every pair;
 * `--write` makes bench/transport.md from them.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { preparePython } from '../../scripts/prepare-machine.ts'
import { brokerFiles } from '../../src/broker/jvm/broker-files.ts'
import { Kafka } from '../../src/kafka/index.ts'
import { SecuredBroker } from '../../test/helpers/secured-broker.ts'
import { measure } from '../measure.ts'
import { answerHelp } from '../usage.ts'
import type { Cost, Pair } from './pairs.ts'
import { describePair, writeReport } from './report.ts'
import { Runs } from './runs.ts'
import { otherWays, plaintext, type Way } from './ways.ts'

const ROOT = join(import.meta.dirname, '../..')
/** Of each way before the first pair, so that the broker's JVM has compiled what it needs. */
const WARM_RUNS = 2

answerHelp('npm run bench:transport -- [--rows 1000000] [--pairs 6] [--only gzip,mTLS] [--write]')
const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000000' },
    pairs: { type: 'string', default: '6' },
    only: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
})
const [rows, pairs] = [Number(values.rows), Number(values.pairs)]
const say = (text: string) => process.stderr.write(`bench: ${text}\n`)
const python = await preparePython(say)
const folder = await mkdtemp(join(tmpdir(), 'rowmill-bench-'))
const [input, output, dataDir] = ['in.csv', 'out.csv', 'broker'].map(name => join(folder, name)) as [
  string,
  string,
  string,
]
// The JVM of the local broker has only its first compiler, and a broker of a cluster has both. AES-GCM takes 50 times the CPU
// time without the second, which alone uses the instructions of the processor. This variable wins over the command line.
process.env['_JAVA_OPTIONS'] ??= '-XX:TieredStopAtLevel=4'
const closing: (() => Promise<void> | void)[] = [() => rm(folder, { recursive: true, force: true })]
try {
  const properties = { 'log.segment.delete.delay.ms': '1000' } // or a minute of deleted topics would fill the disk
  const secured = await SecuredBroker.start(close => closing.unshift(close), { dataDir, properties })
  const admin = await new Kafka({ brokers: [secured.broker.address], clientId: 'bench' }).admin()
  closing.unshift(() => admin.close())
  await measure('rows', [python, join(ROOT, 'examples/make_rows.py'), String(rows), input])
  const runs = new Runs({ python, input, output, admin, partitions: brokerFiles(dataDir).data })
  const base = plaintext(secured)
  const only = values.only?.split(',')
  const others = otherWays(secured).filter(({ name }) => !only || only.includes(name))
  for (const way of [base, ...others]) for (let run = 0; run < WARM_RUNS; run++) await runs.cost(way)
  const [load, before] = [loadavg(), cpuTimes()]
  const all: Pair[] = []
  for (let round = 0; round < pairs; round++) {
    for (const way of others) {
      const costs = new Map<Way, Cost>()
      for (const each of round % 2 === 0 ? [base, way] : [way, base]) costs.set(each, await runs.cost(each))
      all.push({ name: way.name, plaintext: costs.get(base)!, other: costs.get(way)! })
      console.log(describePair(all.at(-1)!))
    }
  }
  const after = cpuTimes()
  const niced = (after.niced - before.niced) / (after.all - before.all)
  const loads = [load, loadavg()]
  if (values.write) await writeReport(join(ROOT, 'bench/transport.md'), all, { python, rows, pairs, loads, niced })
} finally {
  for (const close of closing) await close()
}

/** The time that all cores spent, in ms: on niced processes, and on anything but idling. */
function cpuTimes(): { niced: number; all: number } {
  const times = cpus().map(({ times }) => times)
  const sum = (of: (each: (typeof times)[number]) => number) => times.map(of).reduce((a, b) => a + b, 0)
  return { niced: sum(({ nice }) => nice), all: sum(({ user, nice, sys, irq }) => user + nice + sys + irq) }
}
