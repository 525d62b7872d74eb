/**
 * A job of live rows, and two jobs of files at once, over workers and a broker that suffer a seeded schedule of faults, until the time is over. Every
 * output is checked. Exits 1 if one is wrong, if nothing moves for 2 minutes, or if a command ends wrongly.
 * npm run soak -- [--minutes 10] [--seed 1] [--rows 16000]
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { ClassifiedLog } from './classified-log.ts'
import { FrailBroker } from './frail-broker.ts'
import { JobSlot, type PublisherKill, type SlotParts } from './job-slot.ts'
import { Parts } from './parts.ts'
import { RECIPES } from './recipes.ts'
import { SoakRecord } from './record.ts'
import { type Fault, KINDS, type Kind, schedule } from './schedule.ts'
import { Stream } from './stream.ts'
import { PATIENCE_MS, until } from './waits.ts'
import { Workers } from './workers.ts'

const CLASSIFIER = join(import.meta.dirname, '../fixtures/logs_indices.py:classify')
const LOOK_EVERY_MS = 100
/** A run of at least these minutes must have had this many faults of each kind, and in total. */
const [FULL_MINUTES, LEAST_OF_A_KIND, LEAST_A_MINUTE] = [10, 5, 6]

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    rows: { type: 'string', default: '16000' },
  },
})
const [minutes, seed, rows] = (['minutes', 'seed', 'rows'] as const).map(wholeNumber) as [number, number, number]
const durationMs = minutes * 60_000
const folder = mkdtempSync(join(tmpdir(), 'rowmill-soak-'))
const stop = new AbortController()
const stopped = new Promise<never>((_, reject) => {
  stop.signal.addEventListener('abort', () => reject(stop.signal.reason))
})
stopped.catch(() => {})
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stop.abort(new Error(`stopped by ${name}`)))

console.log(`to repeat this run: npm run soak -- --minutes ${minutes} --seed ${seed} --rows ${rows}`)
const record = new SoakRecord()
const performing = new Set<Promise<void>>()
const broker = await FrailBroker.start(join(folder, 'broker'), error => stop.abort(error))
const logPath = join(folder, 'indices.log')
const log = new ClassifiedLog(logPath)
mkdirSync(join(folder, 'said'))
const parts = new Parts(join(folder, 'said'), stop.signal, {
  ...{ ROWMILL_BROKERS: broker.address, ROWMILL_PIPELINE: 'soak', ROWMILL_TEST_LOG: logPath },
})
const workers = new Workers(parts, broker, { args: ['work', '--classifier', CLASSIFIER], signal: stop.signal })
const publisherKills: PublisherKill[] = []
let jobs = 0
const shared: SlotParts = {
  ...{ folder, classifier: CLASSIFIER, rows, parts, broker, log, record, publisherKills },
  signal: stop.signal,
  nextJob: () => ++jobs,
}
const slots = RECIPES.map(recipe => new JobSlot(recipe, shared))
const stream = new Stream(shared)
const isOver = () => record.seconds * 1000 >= durationMs

let code = 0
const looking = setInterval(look, LOOK_EVERY_MS)
try {
  await Promise.race([soak(), stopped])
} catch (error) {
  console.log(`${record.seconds.toFixed(1)} s: FAILED: ${(error as Error).message}\n\n${parts.describe()}`)
  stop.abort(error)
  code = 1
}
clearInterval(looking)
await parts.killAll().catch(error => {
  console.log(`FAILED: nothing left: ${error.message}`)
  code = 1
})
await Promise.allSettled(performing)
await broker.close()
log.close()
rmSync(folder, { recursive: true, force: true })
record.unreachable += workers.unreachable
console.log(`\n${record.table()}\n`)
const rare = KINDS.filter(kind => record.count(kind) < LEAST_OF_A_KIND)
if (code === 0 && minutes >= FULL_MINUTES && (rare.length > 0 || record.faults < minutes * LEAST_A_MINUTE)) {
  console.log(`FAILED: too few faults: ${rare.join(', ') || record.faults}`)
  code = 1
}
console.log(code === 0 ? 'every check passed' : 'FAILED')
process.exit(code)

function wholeNumber(name: keyof typeof values): number {
  if (/^[1-9][0-9]{0,6}$/.test(values[name])) return Number(values[name])
  console.error(`soak: --${name} ${values[name]}: must be a whole number from 1 to 9999999`)
  process.exit(2)
}

async function soak(): Promise<void> {
  await Promise.all(slots.map(slot => slot.prepare()))
  record.begin()
  const working = workers.run()
  const doing = Promise.all([stream.run(durationMs), ...slots.map(slot => slot.run(isOver))])
  const faulting = spread()
  await Promise.race([working, Promise.all([doing, faulting])])
  await Promise.all([workers.close(), working])
}

/** Lets every fault happen at its time; those of one kind one after the other. */
async function spread(): Promise<void> {
  const last = new Map<string, Promise<void>>()
  for (const fault of schedule(seed, durationMs)) {
    await sleep(Math.max(0, fault.atMs - record.seconds * 1000), undefined, { signal: stop.signal })
    const victim = victimOf(fault.kind)
    const happening = (last.get(victim) ?? Promise.resolve()).then(() => (isOver() ? undefined : perform(fault)))
    last.set(victim, happening)
    performing.add(happening)
    happening.catch(error => stop.abort(error)).finally(() => performing.delete(happening))
  }
  await Promise.all(performing)
}

/** A victim that can bear one fault at a time. */
function victimOf(kind: Kind): string {
  if (kind.includes('broker')) return 'broker'
  return kind.includes('work,') || kind === 'kill -9 work' ? 'work' : kind
}

async function perform({ kind, pick, length }: Fault): Promise<void> {
  const lasts = (least: number, most: number) => least + length * (most - least)
  const happened = (who: string) => record.fault(kind, who)
  switch (kind) {
    case 'kill -9 publisher':
      return void publisherKills.push(publisherKill(pick, length)) // the next one to begin
    case 'kill -9 collector':
      return killCollector(kind, pick)
    case 'kill -9 producer of live rows':
      return killOneOf(kind, [() => stream.killProducer()])
    case 'kill -9 collector of live rows':
      return killOneOf(kind, [() => stream.killCollector()])
    case 'kill -9 worker process':
      return happened(await workers.killWorker(pick))
    case 'kill -9 Python child':
      return happened(await workers.killPython(pick))
    case 'kill -9 work':
      return happened(workers.kill())
    case 'SIGTERM work, start again':
      happened('')
      return workers.stop()
    case 'freeze worker past its session': {
      const { who, wake } = await workers.freezeWorker(pick)
      happened(`${who}, for ${(lasts(8000, 13_000) / 1000).toFixed(1)} s`)
      await sleep(lasts(8000, 13_000))
      return wake()
    }
    case 'kill -9 broker, restart':
      happened(`away for ${(lasts(0, 4000) / 1000).toFixed(1)} s, and its start`)
      return broker.restart(lasts(0, 4000))
    case 'freeze broker':
      happened(`for ${(lasts(2000, 8000) / 1000).toFixed(1)} s`)
      return broker.freeze(lasts(2000, 8000))
    case 'second work joins and leaves':
      happened('')
      return workers.joinAndLeave(lasts(1000, 5000), pid => log.has(pid))
  }
}

function killCollector(kind: Kind, pick: number): Promise<void> {
  const order = pick < 0.5 ? slots : slots.toReversed()
  return killOneOf(
    kind,
    order.map(slot => () => slot.killCollector()),
  )
}

/** Kills the first that is there, and records it; nobody if the time is over before there is one. */
async function killOneOf(kind: Kind, kills: readonly (() => string | null)[]): Promise<void> {
  let who: string | null = null
  await until(`there is somebody for ${kind}`, stop.signal, () => {
    for (const kill of kills) who ??= kill()
    return who !== null || isOver()
  })
  if (who !== null) record.fault(kind, who)
}

function publisherKill(pick: number, length: number): PublisherKill {
  const time = (most: number) => 1 + Math.floor(length * most)
  const places: PublisherKill[] = [
    { at: 'job-opened', time: 1 },
    { at: 'rows-acked', time: time(100) },
    { at: 'end-acked', time: time(8) },
    { at: 'ends-acked', time: 1 },
  ]
  return places[Math.floor(pick * places.length)]!
}

function look(): void {
  try {
    log.read()
    for (const slot of [...slots, stream]) {
      slot.look()
      if (slot.stoodMs > PATIENCE_MS) throw new Error(`a job ${slot.name} made no progress for ${PATIENCE_MS / 1000} s`)
    }
  } catch (error) {
    stop.abort(error)
  }
}
