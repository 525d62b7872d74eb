import { partitionOf } from '../core/sequence.ts'
import type { PartitionSender } from '../kafka/partition-sender.ts'
import type { Job, Values } from '../model.ts'
import { realTime, type Time } from '../support/clock.ts'
import { crashPoint } from '../support/crash-point.ts'
import type { TraceHeaders } from '../tracing/spans.ts'
import { encodeRows } from '../wire/codec.ts'
import { rowBytes } from '../wire/packed-rows.ts'

/** How many bytes may be sent and not acknowledged: more than one request, so that the broker never waits. */
const IN_FLIGHT_BYTES = 1024 * 1024
/** The bytes of a row besides its values, in the message and in memory. */
const ROW_BYTES = 200
/** How long acknowledged rows wait for those under way, so that one look at `jobs` serves all of them. */
const LOOK_MS = 10
/** Safe rows are forgotten when there are this many at the front. */
const KEPT_ROWS = 1024

interface OpenRow {
  /** Null once the row was sent. */
  values: Values | null
  readonly headers: TraceHeaders | null
  readonly bytes: number
  acked: boolean
  readonly safe: Promise<number>
  readonly resolve: (seq: number) => void
  readonly reject: (fault: unknown) => void
}

export interface EventPublisherOptions {
  /** The job, with the epoch of this producer and the seq it continues at. */
  readonly job: Pick<Job, 'id' | 'epoch' | 'from' | 'topic' | 'partitions' | 'blockRows'>
  readonly sender: PartitionSender
  /** The headers of a row that the caller gives now. Default: rows have none. */
  readonly traceHeaders?: (() => TraceHeaders | null) | null
  /** Reads `jobs` to its end. Resolves if no newer producer has the job, throws otherwise. */
  checkHeld(): Promise<void>
  /** Told that this producer has lost the job. A row that was not written is a hole, so no other row may follow. */
  lost(error: unknown): void
  /** Default: real time. */
  readonly time?: Time
}

/**
 * The rows of one producer on their way to the broker. A row is safe when it and every row below it are acknowledged,
 * and `jobs`, read after that, shows no newer producer. Only then does a newer producer count the row, and continue
 * above it. `jobs` is read for all rows that were acknowledged before, and never twice at a time. It is read at once if no other
 * row is under way.
 */
export class EventPublisher {
  readonly #options: EventPublisherOptions
  /** From seq `#first` on. */
  #rows: OpenRow[] = []
  #first: number
  #given: number
  #handed: number
  #acked: number
  #safe: number
  #bytes = 0
  #checking = false
  /** Resolved when no row is under way any more. */
  #arrived = Promise.withResolvers<void>()
  #fault: { readonly error: unknown } | null = null

  constructor(options: EventPublisherOptions) {
    this.#options = options
    const { from } = options.job
    this.#first = from
    this.#given = from
    this.#handed = from
    this.#acked = from
    this.#safe = from
  }

  /** The seq after the last row that the caller gave. */
  get given(): number {
    return this.#given
  }

  /** The seq after the last row that was sent. Rows from here on will lie after everything that is in the topic now. */
  get handed(): number {
    return this.#handed
  }

  /** Every row below this seq is safe. */
  get safe(): number {
    return this.#safe
  }

  /** Resolves with the row's seq when it is safe. Seqs are given in the order of the calls. */
  send(values: Values): Promise<number> {
    if (this.#fault) return Promise.reject(this.#fault.error)
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    const headers = this.#options.traceHeaders?.() ?? null
    const bytes = ROW_BYTES + rowBytes(values)
    this.#rows.push({ values, headers, bytes, acked: false, safe: promise, resolve, reject })
    this.#given++
    this.#hand()
    return promise
  }

  /** Resolves when every row below `seq` is safe. */
  async untilSafe(seq: number): Promise<void> {
    if (this.#fault) throw this.#fault.error
    if (seq > this.#safe) await this.#at(seq - 1).safe
  }

  /** Ends every wait, present and future, with this error. Nothing more is sent. */
  fail(error: unknown): void {
    if (this.#fault) return
    this.#fault = { error }
    for (const { reject } of this.#rows.splice(0).slice(this.#safe - this.#first)) reject(error)
  }

  #at(seq: number): OpenRow {
    return this.#rows[seq - this.#first]!
  }

  #hand(): void {
    const { id: job, epoch, from, topic } = this.#options.job
    while (!this.#fault && this.#handed < this.#given && this.#bytes < IN_FLIGHT_BYTES) {
      const seq = this.#handed++
      const row = this.#at(seq)
      const rows = [row.values!]
      row.values = null
      this.#bytes += row.bytes
      const value = encodeRows({ job, epoch, from, seq, count: 1, line: null, lineSteps: null, rows })
      const to = { topic, partition: partitionOf(seq, this.#options.job) }
      this.#options.sender.send(to, { key: job, value, headers: row.headers }).then(
        () => this.#ack(row),
        error => this.#options.lost(error),
      )
    }
  }

  #ack(row: OpenRow): void {
    crashPoint('event-acked')
    this.#bytes -= row.bytes
    row.acked = true
    if (this.#fault) return
    while (this.#acked < this.#handed && this.#at(this.#acked).acked) this.#acked++
    this.#hand()
    if (this.#acked === this.#handed) this.#arrived.resolve()
    if (!this.#checking && this.#acked > this.#safe) void this.#check()
  }

  async #check(): Promise<void> {
    this.#checking = true
    try {
      while (!this.#fault && this.#safe < this.#acked) {
        await this.#arrival()
        const acked = this.#acked
        await this.#options.checkHeld()
        if (!this.#fault) this.#settle(acked)
      }
    } catch (error) {
      this.#options.lost(error)
    } finally {
      this.#checking = false
    }
  }

  /** Resolves when no row is under way, or after a moment. */
  async #arrival(): Promise<void> {
    if (this.#acked === this.#handed) return
    this.#arrived = Promise.withResolvers()
    const stop = (this.#options.time ?? realTime).after(LOOK_MS, this.#arrived.resolve)
    await this.#arrived.promise
    stop()
  }

  #settle(acked: number): void {
    crashPoint('event-safe')
    for (; this.#safe < acked; this.#safe++) this.#at(this.#safe).resolve(this.#safe)
    const done = this.#safe - this.#first
    if (done < KEPT_ROWS || done < this.#rows.length / 2) return
    this.#rows = this.#rows.slice(done)
    this.#first = this.#safe
  }
}
