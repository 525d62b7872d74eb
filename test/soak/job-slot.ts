import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CrashPoint } from '../../src/support/crash-point.ts'
import { partialOf } from '../helpers/partial.ts'
import { serialJob } from '../helpers/serial.ts'
import { type ClassifiedLog, indexOf } from './classified-log.ts'
import type { FrailBroker } from './frail-broker.ts'
import type { Part, Parts } from './parts.ts'
import type { SoakRecord } from './record.ts'

/** What the jobs of a slot look like. */
export interface Recipe {
  readonly name: string
  readonly head: string
  line(index: string, row: number): string
  readonly readCsv: Readonly<Record<string, unknown>>
  readonly toCsv: Readonly<Record<string, unknown>>
  /** More options of `publish`. */
  readonly publish: readonly string[]
}

/** Where a publisher is killed. */
export interface PublisherKill {
  readonly at: CrashPoint
  readonly time: number
}

export interface SlotParts {
  readonly folder: string
  readonly classifier: string
  readonly rows: number
  readonly signal: AbortSignal
  readonly parts: Parts
  readonly broker: FrailBroker
  readonly log: ClassifiedLog
  readonly record: SoakRecord
  /** A new job number. */
  nextJob(): number
  /** Publishers to kill, the next one first. */
  readonly publisherKills: PublisherKill[]
}

interface Prepared {
  readonly number: number
  readonly input: string
  readonly serial: string
}

/** One job after the other, each with a publisher and a collector that are restarted until they are done. */
export class JobSlot {
  readonly recipe: Recipe
  readonly #soak: SlotParts
  #movedAt = performance.now()
  /** The files that show whether the job makes progress; empty between jobs. */
  #state = ''
  #next: Promise<Prepared> | null = null
  #job: Prepared | null = null
  #output = ''
  #collector: Part | null = null
  #checkpoint = ''

  constructor(recipe: Recipe, soak: SlotParts) {
    this.recipe = recipe
    this.#soak = soak
  }

  get name(): string {
    return this.recipe.name
  }

  /** For how long its job has made no progress, in milliseconds. */
  get stoodMs(): number {
    return this.#job ? performance.now() - this.#movedAt : 0
  }

  /** Makes the rows of its next job, and the expected output. */
  prepare(): Promise<Prepared> {
    this.#next = this.#prepare()
    this.#next.catch(() => {}) // it is awaited when the job before it is complete
    return this.#next
  }

  async run(isOver: () => boolean): Promise<void> {
    for (;;) {
      const job = await (this.#next ?? this.prepare())
      if (isOver()) return
      this.prepare()
      await this.#complete(job)
    }
  }

  /** Kills its collector; null if there is none. */
  killCollector(): string | null {
    const part = this.#collector
    if (!part || part.child.exitCode !== null || part.killed) return null
    part.kill()
    return `job ${this.#id}, process ${part.pid}`
  }

  /** Checks whether the job makes progress, and what its collector has checkpointed. */
  look(): void {
    if (!this.#job) return
    this.#checkPrefix()
    const partial = partialOf(this.#output)
    const size = partial ? (statSync(partial, { throwIfNoEntry: false })?.size ?? 0) : 0
    const state = `${this.#soak.log.of(String(this.#job.number)).size} ${size}`
    if (state === this.#state) return
    const now = performance.now()
    if (this.#state !== '') this.#soak.record.paused(this.#movedAt, now, this.#id)
    this.#state = state
    this.#movedAt = now
  }

  get #id(): string {
    return `${this.recipe.name}-${this.#job?.number}`
  }

  async #prepare(): Promise<Prepared> {
    const { folder, rows, classifier, signal, nextJob } = this.#soak
    const number = nextJob()
    const place = join(folder, `job-${number}`)
    mkdirSync(place)
    const input = join(place, 'in.csv')
    const lines = Array.from({ length: rows }, (_, row) => this.recipe.line(indexOf(number, row), row))
    writeFileSync(input, `${this.recipe.head}\n${lines.join('\n')}\n`)
    const { readCsv, toCsv } = this.recipe
    const serial = join(place, 'serial.csv')
    writeFileSync(serial, await serialJob(input, classifier, { readCsv, toCsv, signal }))
    return { number, input, serial }
  }

  async #complete(job: Prepared): Promise<void> {
    this.#output = join(this.#soak.folder, `job-${job.number}`, 'out.csv')
    this.#checkpoint = ''
    this.#job = job
    this.#moved()
    const { readCsv, toCsv, publish } = this.recipe
    const options = ['--read-csv', JSON.stringify(readCsv), '--to-csv', JSON.stringify(toCsv), ...publish]
    await Promise.all([
      this.#give('publish', [job.input, '--job', this.#id, ...options]),
      this.#give('collect', [this.#output, '--job', this.#id]),
    ])
    this.#moved()
    await this.#check(job)
    this.#job = null
    rmSync(join(this.#soak.folder, `job-${job.number}`), { recursive: true })
  }

  /** Restarts a command until it ends by itself; returns its output. */
  async #give(command: 'publish' | 'collect' | 'verify', args: readonly string[]): Promise<string> {
    const { parts, broker, record } = this.#soak
    for (let wasKilled = false; ; ) {
      const crash = command === 'publish' ? this.#crash() : null
      const part = parts.start(`${command} ${this.#id}`, [command, ...args], crash?.env)
      if (command === 'collect') this.#collector = part
      const { code, signal } = await part.exit
      this.#movedAt = performance.now()
      const crashed = signal === 'SIGKILL' && crash !== null
      if (crashed)
        record.fault('kill -9 publisher', `job ${this.#id}, at ${crash.kill.at}, on visit ${crash.kill.time}`)
      else if (crash) this.#soak.publisherKills.unshift(crash.kill) // it did not get there
      if (code === 0) return part.said
      // It was killed between its last action and its end.
      if (code === 2 && wasKilled && part.said.includes('[OUTPUT_EXISTS]')) return part.said
      if (code === 3 && broker.troubledSince(part.startedAt)) record.unreachable++
      else if (!crashed && !part.killed) throw new Error(`${part.lastWords}It ended with ${signal ?? code}`)
      wasKilled ||= crashed || part.killed
    }
  }

  #crash(): { kill: PublisherKill; env: NodeJS.ProcessEnv } | null {
    const kill = this.#soak.publisherKills.shift()
    if (!kill) return null
    const once = join(this.#soak.folder, `crashed-${performance.now()}`)
    return { kill, env: { ROWMILL_CRASH: `${kill.at}:${kill.time} ${once}` } }
  }

  /** The invariants of test/crash/fire.ts, by name. */
  async #check({ number, serial }: Prepared): Promise<void> {
    const { record, log, rows } = this.#soak
    assert.ok(readFileSync(this.#output).equals(readFileSync(serial)), `output: job ${this.#id}`)
    const said = await this.#give('verify', [this.#output, '--job', this.#id, '--against', serial])
    assert.match(said, /^same$/m, `once: job ${this.#id}`)
    log.read()
    const classified = log.of(String(number))
    assert.equal(classified.size, rows, `again: every row of job ${this.#id} was classified`)
    assert.equal(existsSync(`${this.#output}.rowmill`), false, `nothing left: the state of job ${this.#id}`)
    const again = [...classified.values()].reduce((sum, times) => sum + times - 1, 0)
    const duplicates = Number(/^duplicates in results +(\d+)$/m.exec(said)?.[1])
    log.forget(String(number))
    record.jobs++
    record.rows += rows
    record.classifiedTwice += again
    record.duplicates += duplicates
    record.say('complete', `job ${this.#id}: ${rows} rows, ${again} classified twice, ${duplicates} duplicates dropped`)
  }

  /** The bytes up to the last checkpoint are the first bytes of the expected output. */
  #checkPrefix(): void {
    const state = `${this.#output}.rowmill`
    const checkpoint = read(join(state, 'checkpoint'))?.toString()
    if (!checkpoint || checkpoint === this.#checkpoint) return
    const { bytes, partial: name } = JSON.parse(checkpoint) as { bytes: number; partial: string }
    const partial = read(join(state, name))
    if (!partial) return
    this.#checkpoint = checkpoint
    const wanted = readFileSync(this.#job!.serial).subarray(0, bytes)
    assert.ok(partial.subarray(0, bytes).equals(wanted), `prefix: job ${this.#id}, ${bytes} bytes`)
  }

  /** A step that is no progress of rows. */
  #moved(): void {
    this.#movedAt = performance.now()
    this.#state = ''
  }
}

function read(path: string): Buffer | null {
  try {
    return readFileSync(path)
  } catch {
    return null // it was renamed or removed meanwhile
  }
}
