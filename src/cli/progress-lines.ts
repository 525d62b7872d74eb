import { realTime, type Time } from '../support/clock.ts'
import type { JsonShape } from './json-output.ts'
import { lastStage, type Progress } from './progress.ts'
import { Speed } from './speed.ts'

const EVERY_MS = 1000

/** What a line of `--progress json` has. docs/logs.md shows the same. */
export const PROGRESS_LINE = {
  line: 'each second',
  fields: {
    type: 'always `progress`: a line of the log has no `type`',
    time: 'when the line was written, in UTC, as ISO 8601',
    command: 'the command, such as `run`',
    job: 'the id of the job; null before it is known',
    pipeline: 'the pipeline; null before it is known',
    stage:
      'what the rows wait for: `waiting` (no row is published yet), `publishing`, `classifying`, `writing`; in the last line `complete` or `failed`',
    published: 'rows that the broker has; null if the command does not know it',
    classified: 'rows with a result, rejects included; null as for published',
    written: 'rows in OUT; null as for published',
    rejected: 'rows that were rejected; null as for published',
    total: 'rows of the job; null before it is known',
    rowsPerSecond: 'the speed of the last of these counts over the last 10 s',
    etaSeconds: 'seconds until the command is done, at this speed; null if it is not known',
    elapsedSeconds: 'seconds since the command began',
    done: 'true in the last line, else false',
    exitCode: 'the exit code of the command; null before the last line',
    code: 'the code of the error that ended the command; null without one',
  },
} as const satisfies JsonShape

export type ProgressLine = Readonly<Record<keyof typeof PROGRESS_LINE.fields, string | number | boolean | null>>

/** How the command ended. */
export interface CommandEnd {
  readonly exitCode: number
  readonly code: string | null
}

/** Who the line is about. */
export interface ProgressSubject {
  readonly command?: string
  readonly job?: string
  readonly pipeline?: string
}

/** The progress of a command for programs: a line every second from the beginning on, and a last one. */
export class ProgressLines {
  readonly #write: (line: ProgressLine) => void
  readonly #subject: () => ProgressSubject
  readonly #time: Time
  readonly #began: number
  readonly #speed = new Speed()
  readonly #stop: () => void
  #latest: Progress | null = null
  #ended = false

  /** `subject` is asked for each line, because the job is not known at first. */
  constructor(write: (line: ProgressLine) => void, subject: () => ProgressSubject, time = realTime) {
    this.#write = write
    this.#subject = subject
    this.#time = time
    this.#began = time.now()
    this.#stop = time.every(EVERY_MS, () => this.#tell(null))
  }

  show(progress: Progress): void {
    if (this.#latest === null) this.#speed.of(lastStage(progress))
    this.#latest = progress
  }

  /** Writes the last line. */
  end(how: CommandEnd): void {
    if (this.#ended) return
    this.#ended = true
    this.#stop()
    this.#tell(how)
  }

  #tell(how: CommandEnd | null): void {
    const { command, job, pipeline } = this.#subject()
    const seconds = (this.#time.now() - this.#began) / 1000
    const progress: Progress = this.#latest ?? { total: null }
    const { published, classified, written, rejected, total } = progress
    const rowsPerSecond = this.#latest ? this.#speed.of(lastStage(progress)) : 0
    this.#write({
      type: 'progress',
      time: new Date().toISOString(),
      command: command ?? null,
      job: job ?? null,
      pipeline: pipeline ?? null,
      stage: stageOf(progress, how),
      published: published ?? null,
      classified: classified ?? null,
      written: written ?? null,
      rejected: rejected ?? null,
      total,
      rowsPerSecond: Math.round(rowsPerSecond * 10) / 10,
      etaSeconds: secondsLeft(progress, rowsPerSecond),
      elapsedSeconds: Math.round(seconds * 10) / 10,
      done: how !== null,
      exitCode: how?.exitCode ?? null,
      code: how?.code ?? null,
    })
  }
}

/** Rows that the command has nothing left to do with. */
function finished(progress: Progress): number | null {
  const { published, classified, written, rejected = 0 } = progress
  return written === undefined ? (classified ?? published ?? null) : written + rejected
}

function secondsLeft(progress: Progress, rowsPerSecond: number): number | null {
  const { total } = progress
  const rows = finished(progress)
  if (total === null || rows === null) return null
  if (rows >= total) return 0
  return rowsPerSecond > 0 ? Math.ceil((total - rows) / rowsPerSecond) : null
}

function stageOf(progress: Progress, how: CommandEnd | null): string {
  if (how !== null) return how.code === null ? 'complete' : 'failed'
  const { published, classified, written, total } = progress
  const isBelow = (rows: number | undefined) => rows !== undefined && (total === null || rows < total)
  if (isBelow(published ?? classified) && !published && !classified) return 'waiting'
  if (isBelow(published)) return 'publishing'
  if (isBelow(classified)) return 'classifying'
  if (written !== undefined) return 'writing'
  return published === undefined ? 'waiting' : 'publishing'
}
