/**
 * Measures from the publish of a row until its result is visible: one row every 10 ms, then 1,000 and 10,000 rows a
 * second. Contenders are rowmill, a pass-through in Kafka Streams, and nothing, interleaved on one warm broker. Also
 * measures what pandas adds, and how long results pause when a worker joins or leaves. Prints every run; `--write`
 * makes bench/latency.md from it.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { preparePython } from '../../scripts/prepare-machine.ts'
import { startLocalBroker } from '../../src/broker/local-broker.ts'
import { defaultPartitions } from '../../src/pipeline/default-partitions.ts'
import { answerHelp } from '../usage.ts'
import * as contenders from './contenders.ts'
import { type Contender, type Place, startRowmill } from './contenders.ts'
import { type Gaps, measureGaps } from './join-leave.ts'
import { describeRun, type Run, writeReport } from './report.ts'
import { RowStream } from './row-stream.ts'

const WORKERS = 2
const SLOW = 100
const RATES = [SLOW, 1000, 10_000]
/** Until compilers and caches are warm. */
const WARM_SECONDS = 10
const WARM_ROWS_PER_SECOND = 3000
/** Before each run, not counted, because the job is new to the workers. */
const FIRST_SECONDS = 1

answerHelp(
  'npm run bench:latency -- [--seconds 20] [--rounds 3] [--joins 5] [--only streams,direct,pandas,joins] [--write]',
)
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '3' },
    joins: { type: 'string', default: '5' },
    only: { type: 'string', default: 'direct,streams,pandas,joins' },
    write: { type: 'boolean', default: false },
  },
})
const [seconds, rounds, joins] = [Number(values.seconds), Number(values.rounds), Number(values.joins)]
const parts = new Set(values.only.split(','))
const say = (text: string) => process.stderr.write(`bench: ${text}\n`)
const python = await preparePython(say)
const folder = await mkdtemp(join(tmpdir(), 'rowmill-bench-'))
const broker = await startLocalBroker({ onProgress: say })
const place: Place = {
  ...{ broker: broker.address, partitions: defaultPartitions(WORKERS), workers: WORKERS, python, folder, say },
}
const open: Contender[] = []
try {
  const loadBefore = loadavg()
  const typescript = await started(startRowmill(place, { name: 'rowmill', classifier: contenders.TYPESCRIPT }))
  if (parts.has('streams')) await started(contenders.startStreams(place))
  if (parts.has('direct')) await started(contenders.startDirect(place))
  const configured = [...open]
  const runs = await compare(open, RATES)
  const gaps = parts.has('joins') ? await joinAndLeave(typescript, contenders.TYPESCRIPT) : []
  await closeAll()
  const ofPandas: Run[] = []
  const pandasGaps: Gaps[] = []
  if (parts.has('pandas')) {
    const pass = await started(startRowmill(place, { name: 'pandas pass-through', classifier: contenders.PANDAS_PASS }))
    await started(startRowmill(place, { name: 'pandas black box', classifier: contenders.BLACK_BOX }))
    ofPandas.push(...(await compare(open, [SLOW])))
    if (parts.has('joins')) pandasGaps.push(...(await joinAndLeave(pass, contenders.PANDAS_PASS)))
  }
  const measured = { runs, ofPandas, gaps, pandasGaps, configured, loads: [loadBefore, loadavg()] }
  if (values.write) await writeReport(join(import.meta.dirname, '../latency.md'), measured, { python, seconds, rounds })
} finally {
  await closeAll().catch(error => say(error.message))
  await broker.close()
  await rm(folder, { recursive: true, force: true })
}

async function started<T extends Contender>(starting: Promise<T>): Promise<T> {
  const contender = await starting
  open.push(contender)
  for (const line of contender.configuration) say(`${contender.name}: ${line}`)
  return contender
}

async function closeAll(): Promise<void> {
  await Promise.all(open.splice(0).map(contender => contender.close()))
}

/** Every contender in every round, in another order each time. All contenders keep running. */
async function compare(all: readonly Contender[], rates: readonly number[]): Promise<Run[]> {
  const warmRate = Math.min(WARM_ROWS_PER_SECOND, Math.max(...rates))
  for (const contender of all) await measure(contender, warmRate, Math.min(WARM_SECONDS, seconds))
  const runs: Run[] = []
  for (const rate of rates) {
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < all.length; turn++) {
        const contender = all[(round + turn) % all.length]!
        const run = await measure(contender, rate, rate === SLOW ? seconds : seconds / 2)
        runs.push(run)
        console.log(describeRun(run))
      }
    }
  }
  return runs
}

async function measure(contender: Contender, rowsPerSecond: number, forSeconds: number): Promise<Run> {
  const stream = new RowStream(await contender.open())
  try {
    const first = rowsPerSecond * FIRST_SECONDS
    await stream.send(rowsPerSecond, { rows: first + rowsPerSecond * forSeconds })
    const lost = await stream.settled()
    if (stream.fault) throw new Error(`${contender.name}, ${rowsPerSecond} rows/s: ${stream.fault}`)
    const times = stream.seenAt.map((seenAt, seq) => seenAt - stream.sentAt[seq]!).slice(first)
    return { name: contender.name, rowsPerSecond, times, lost }
  } finally {
    await stream.close()
  }
}

async function joinAndLeave(
  { pipeline, ...of }: Contender & { pipeline: string },
  classifier: string,
): Promise<Gaps[]> {
  const all: Gaps[] = []
  for (let time = 0; time < joins; time++) {
    const gaps = await measureGaps(of, { broker: broker.address, pipeline, classifier, python }, WORKERS)
    console.log(`${of.name}: a worker joins ${gaps.join.toFixed(0)} ms, leaves ${gaps.leave.toFixed(0)} ms`)
    all.push(gaps)
  }
  return all
}
