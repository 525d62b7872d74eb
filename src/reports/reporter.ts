import { hostname } from 'node:os'
import { toRowmillError } from '../errors.ts'
import { describeKafkaError, type Kafka, type Producer, TopicsRefused } from '../kafka/index.ts'
import { topicsOf } from '../pipeline/topic-names.ts'
import { realTime, type Time } from '../support/clock.ts'
import type { Say } from '../support/say.ts'
import { unlessLate } from '../support/unless-late.ts'
import { version } from '../support/version.ts'
import {
  type Report,
  type ReportedFailure,
  type ReportedParts,
  type ReportedUse,
  type ReportingCommand,
  SILENT_SECONDS,
} from './report.ts'
import { encodeReport } from './report-text.ts'

/** How often it looks whether something has changed. */
const LOOK_MS = 1000
/** How often it reports while counts change, or while it has rows in hand: if it is killed then, that shows soon. */
const BUSY_SECONDS = 2
/** How often it reports while nothing changes. An idle worker that is killed shows only when its next report is late. */
const IDLE_SECONDS = 3
/** A report that is longer comes less often. */
const BYTES_PER_SECOND = 60_000
/** After a report that did not arrive. */
const PAUSE_MS = 2000
/** How long the end of a command waits for its last report. */
const LAST_MS = 1000
/** Of the error that ended the command. */
const LONGEST_MESSAGE = 1000

export interface ReporterOptions {
  readonly kafka: Kafka
  readonly pipeline: string
  readonly command: ReportingCommand
  /** What the parts do now. It is asked once a second. */
  readonly look: () => ReportedParts
  /** Default: it uses no file that matters to others. */
  readonly uses?: ReportedUse
  /** Logs the one line about reports that cannot be written. */
  readonly say: Say
  /** Called before the first report, to create the topic. Default: the topic is there. */
  readonly prepare?: () => Promise<void>
  /** Default: real time. */
  readonly time?: Time
}

/**
 * Reports what a command does, in the topic `reports` of its pipeline: within a second if the state of a part changes, every 2 s
 * while counts change or rows are in hand, and every 3 s otherwise. It has a connection of its own, so that no row ever waits for a report.
 * A report that does not arrive is no error: the next one says more. If reports cannot be written at all, it logs that once.
 */
export class Reporter {
  readonly #options: ReporterOptions
  readonly #time: Time
  readonly #topic: string
  readonly #who: Omit<Report, keyof ReportedParts | 'everySeconds' | 'isLast' | 'failure'>
  #producer: Promise<Producer> | null = null
  #last: Sent | null = null
  #sending: Promise<void> | null = null
  /** Whether a report is in the topic. */
  #isKnown = false
  #isOver = false
  #pausedUntil = Number.NEGATIVE_INFINITY
  readonly #stop: () => void

  constructor(options: ReporterOptions) {
    const { pipeline, command, uses, time = realTime } = options
    this.#options = options
    this.#time = time
    this.#topic = topicsOf(pipeline).reports
    const [host, pid] = [hostname(), process.pid]
    const name = `${host}-${pid}`
    const who = { version: 1, process: name, command, host, pid, rowmill: version(), startedAt: Date.now() } as const
    this.#who = uses ? { ...who, uses } : who
    this.#stop = time.every(LOOK_MS, () => this.#look())
    this.#look()
  }

  /** Says that the command has ended, and of what if it failed, if anybody knows of it. It takes a second at most. */
  async close(thrown: unknown = null): Promise<void> {
    this.#stop()
    await unlessLate(this.#sayLast(thrown), LAST_MS, this.#time)
    this.#isOver = true
    const producer = this.#producer
    this.#producer = null
    producer?.then(found => found.hangUp()).catch(() => {}) // it may still be connecting
  }

  #look(): void {
    const now = this.#time.now()
    if (this.#sending || this.#isOver || now < this.#pausedUntil) return
    const parts = this.#options.look()
    const [state, counts] = [stateOf(parts), countsOf(parts)]
    const everySeconds = dueFor({ state, counts, now, isBusy: hasRows(parts) }, this.#last)
    if (everySeconds === null) return
    const value = this.#encode(parts, { everySeconds, isLast: false })
    this.#last = { at: now, state, counts, bytes: value.length, everySeconds }
    this.#sending = this.#send(value)
      .catch(error => this.#failed(error))
      .finally(() => {
        this.#sending = null
      })
  }

  async #sayLast(thrown: unknown): Promise<void> {
    await this.#sending
    if (!this.#isKnown || this.#isOver) return
    const parts = this.#options.look()
    const last = {
      everySeconds: IDLE_SECONDS,
      isLast: true,
      ...(thrown === null ? {} : { failure: failureOf(thrown) }),
    }
    await this.#send(this.#encode(parts, last)).catch(() => {})
  }

  #encode(
    parts: ReportedParts,
    { everySeconds, ...more }: Pick<Report, 'everySeconds' | 'isLast' | 'failure'>,
  ): Buffer {
    const longest = this.#last ? Math.ceil(this.#last.bytes / BYTES_PER_SECOND) : 0
    return encodeReport({ ...this.#who, everySeconds: Math.max(everySeconds, longest), ...more, ...parts })
  }

  async #send(value: Buffer): Promise<void> {
    const { kafka, prepare } = this.#options
    if (!this.#isKnown) await prepare?.()
    this.#producer ??= kafka.producer().catch(error => {
      this.#producer = null
      throw error
    })
    const producer = await this.#producer
    await producer.send({ topic: this.#topic, partition: 0 }, [{ key: this.#who.process, value }])
    this.#isKnown = true
  }

  #failed(error: unknown): void {
    this.#last = null
    this.#pausedUntil = this.#time.now() + PAUSE_MS
    const { text, type } = describeKafkaError(error)
    if (!(error instanceof TopicsRefused) && !FINAL.test(type)) return
    this.#isOver = true
    this.#options.say(
      `rowmill status and rowmill monitor cannot see what this command does, which works all the same. Topic ${this.#topic}: ${text}`,
    )
  }
}

function failureOf(thrown: unknown): ReportedFailure {
  const { code, message } = toRowmillError(thrown)
  return { code, message: message.split('\n', 1)[0]!.slice(0, LONGEST_MESSAGE) }
}

/** What the broker says about a topic that does not take reports, now and later. */
const FINAL = /AUTHORIZ|UNKNOWN_TOPIC|INVALID_TOPIC|TOO_LARGE|TOPIC_UNUSABLE/

interface Sent {
  readonly at: number
  readonly state: string
  readonly counts: string
  readonly bytes: number
  readonly everySeconds: number
}

/** When a report is due, in how many seconds at most the next one comes. Null: none is due. */
function dueFor(
  { state, counts, now, isBusy }: Pick<Sent, 'state' | 'counts'> & { now: number; isBusy: boolean },
  last: Sent | null,
): number | null {
  if (last === null) return BUSY_SECONDS
  const seconds = (now - last.at + LOOK_MS / 2) / 1000
  if (seconds < last.bytes / BYTES_PER_SECOND) return null
  if (state !== last.state) return BUSY_SECONDS
  if (seconds < BUSY_SECONDS) return null
  if (isBusy || counts !== last.counts) return BUSY_SECONDS
  return last.everySeconds < IDLE_SECONDS || seconds >= IDLE_SECONDS ? IDLE_SECONDS : null
}

/** Whether rows wait for this command. A stream without an end may wait for its source. */
function hasRows({ publishing, working, collecting }: ReportedParts): boolean {
  if (publishing !== null && publishing.total !== null && publishing.published < publishing.total) return true
  return Boolean(working?.workers.some(({ batch }) => batch !== null) || collecting?.waiting)
}

/** What people wait to see: workers that start, freeze, die or move. */
function stateOf({ publishing, working, collecting }: ReportedParts): string {
  const workers = working?.workers.map(({ name, state, heardSeconds, restarts, classifierRestarts, partitions }) => {
    const restarted = [restarts, classifierRestarts]
    return [name, state === 'starting', heardSeconds > SILENT_SECONDS, restarted, partitions.length]
  })
  return JSON.stringify([publishing?.job, collecting?.job, working?.rebalances, working?.restarts, workers])
}

/** Everything but the times that pass while nothing happens. */
function countsOf(parts: ReportedParts): string {
  return JSON.stringify(parts, (name, value) => {
    if (name === 'heardSeconds') return value > SILENT_SECONDS
    return name === 'time' || (name === 'seconds' && typeof value === 'number') ? undefined : value
  })
}
