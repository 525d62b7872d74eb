import assert from 'node:assert/strict'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { serialJob } from '../helpers/serial.ts'
import type { SlotParts } from './job-slot.ts'
import type { Part } from './parts.ts'
import { STREAM_COLUMNS, streamRow } from './stream-rows.ts'

const PRODUCER = join(import.meta.dirname, 'stream-producer.ts')
const ROWS_A_SECOND = 100
const ID = 'live'

/** One job of live rows beside the file jobs, for the whole run: a producer and a collector that follows, both restarted. */
export class Stream {
  readonly #soak: SlotParts
  readonly #number: number
  readonly #output: string
  #producer: Part | null = null
  #collector: Part | null = null
  #size = -1
  #movedAt = performance.now()
  #isRunning = false
  /** The highest row that a producer was told is safe. */
  #safe = -1

  constructor(soak: SlotParts) {
    this.#soak = soak
    this.#number = soak.nextJob()
    this.#output = join(soak.folder, `${ID}.csv`)
  }

  get name(): string {
    return ID
  }

  /** For how long its output has not grown, in milliseconds. */
  get stoodMs(): number {
    return this.#isRunning ? performance.now() - this.#movedAt : 0
  }

  /** Sends rows for so long, and checks the output when every row is in it. */
  async run(forMs: number): Promise<void> {
    this.#movedAt = performance.now()
    this.#isRunning = true
    await Promise.all([this.#produce(Date.now() + forMs), this.#collect()])
    this.#isRunning = false
    await this.#check()
  }

  killProducer(): string | null {
    return kill(this.#producer)
  }

  killCollector(): string | null {
    return kill(this.#collector)
  }

  /** Checks whether its output grows. */
  look(): void {
    if (!this.#isRunning) return
    const size = statSync(this.#output, { throwIfNoEntry: false })?.size ?? 0
    if (size === this.#size) return
    const now = performance.now()
    if (this.#size > 0) this.#soak.record.paused(this.#movedAt, now, ID)
    this.#size = size
    this.#movedAt = now
  }

  #produce(untilMs: number): Promise<void> {
    const args = [ID, String(this.#number), String(ROWS_A_SECOND), String(untilMs)]
    return this.#give(() => {
      this.#producer = this.#soak.parts.startScript(`producer ${ID}`, PRODUCER, args)
      return this.#producer
    })
  }

  #collect(): Promise<void> {
    return this.#give(() => {
      this.#collector = this.#soak.parts.start(`collect ${ID}`, ['collect', this.#output, '--job', ID, '--follow'])
      return this.#collector
    })
  }

  /** Restarts a command until it ends by itself. */
  async #give(start: () => Part): Promise<void> {
    const { broker, record } = this.#soak
    for (;;) {
      const part = start()
      const { code, signal } = await part.exit
      for (const [, seq] of part.said.matchAll(/^safe (\d+)$/gm)) this.#safe = Math.max(this.#safe, Number(seq))
      if (code === 0) return
      if (code === 3 && broker.troubledSince(part.startedAt)) record.unreachable++
      else if (!part.killed) throw new Error(`${part.lastWords}It ended with ${signal ?? code}`)
    }
  }

  async #check(): Promise<void> {
    const { folder, classifier, signal, log, record } = this.#soak
    const output = readFileSync(this.#output, 'utf8')
    const rows = output.split('\n').length - 1
    assert.ok(rows > this.#safe, `every safe row: ${this.#safe} of ${rows}`)
    const input = join(folder, `${ID}-in.csv`)
    const lines = Array.from({ length: rows }, (_, seq) => csvLine(streamRow(this.#number, seq)))
    writeFileSync(input, `${csvLine(STREAM_COLUMNS)}\n${lines.join('\n')}\n`)
    const expected = await serialJob(input, classifier, { toCsv: { header: false }, signal })
    assert.ok(output === expected, `output: job ${ID}`)
    log.read()
    const classified = log.of(String(this.#number))
    assert.equal(classified.size, rows, `every row of job ${ID} was classified`)
    const again = [...classified.values()].reduce((sum, times) => sum + times - 1, 0)
    record.jobs++
    record.rows += rows
    record.classifiedTwice += again
    record.say('complete', `job ${ID}: ${rows} rows, ${again} classified twice`)
  }
}

function kill(part: Part | null): string | null {
  if (!part || part.child.exitCode !== null || part.killed) return null
  part.kill()
  return `job ${ID}, process ${part.pid}`
}

function csvLine(values: readonly string[]): string {
  return values.map(value => (value.includes(',') ? `"${value}"` : value)).join(',')
}
