import type { Report } from '../reports/report.ts'
import type { Hearing } from './broker-silence.ts'
import type { ProcessView } from './view.ts'

/** How much later than announced a report may come: it travels, and is read once a second. */
const GRACE_MS = 2000
/** How long a process that ended or fell silent is still shown. */
const KEPT_MS = 10 * 60_000
/** More processes are not shown: anybody can write a report. */
const MOST_PROCESSES = 1000

/** The last report of a process. */
export interface HeardProcess {
  readonly report: Report
  /** When it was heard, in ms since 1970. */
  readonly at: number
  readonly state: ProcessView['state']
  /** For how long nothing was heard, in seconds. */
  readonly silentSeconds: number
  /** Those of them in which a report would have been heard. */
  readonly quietSeconds: number
}

const ALWAYS: Hearing = { from: Number.NEGATIVE_INFINITY, upTo: Number.POSITIVE_INFINITY }

interface Kept {
  readonly report: Report
  readonly at: number
}

/** When the count of a job that a process reports last grew, in ms since 1970. */
interface Moved {
  readonly count: number
  readonly at: number
}

/** The last report of each process of a pipeline. */
export class ReportBoard {
  readonly #reports = new Map<string, Kept>()
  /** By job and part. */
  readonly #moved = new Map<string, Moved>()

  /** `at`: when the report was made, in ms since 1970. */
  take(report: Report, at: number): void {
    const { process, publishing, collecting } = report
    const before = this.#reports.get(process)
    if (before && before.at > at) return
    this.#reports.delete(process)
    this.#reports.set(process, { report, at }) // at the end: the one heard longest ago comes first
    if (this.#reports.size > MOST_PROCESSES) this.#reports.delete(this.#reports.keys().next().value!)
    if (publishing) this.#move(`publishing/${publishing.job}`, publishing.published, at)
    if (collecting) this.#move(`collecting/${collecting.job}`, collecting.written + collecting.rejected, at)
  }

  /** The processes that are shown, by their start. None is silent that could not be heard. Default: all could. */
  heard(now: number, { from, upTo }: Hearing = ALWAYS): HeardProcess[] {
    const shown = [...this.#reports.values()].filter(({ at }) => now - at <= KEPT_MS)
    const heard = shown.map(kept => {
      const { report, at } = kept
      const [since, until] = [Math.max(at, from), Math.min(now, upTo)]
      const isLate = until > lateAt({ report, at: since })
      const quietSeconds = Math.max(0, (until - since) / 1000)
      const state: HeardProcess['state'] = report.isLast ? 'gone' : isLate ? 'silent' : 'running'
      return { report, at, state, silentSeconds: Math.max(0, (now - at) / 1000), quietSeconds }
    })
    return heard.sort((a, b) => a.report.startedAt - b.report.startedAt)
  }

  /**
   * For how long one must wait until each process that seems silent `now` is surely so or has said something, in ms. 0: it is
   * certain, as all of them are silent at the `earliest` time that the broker's clock can show.
   */
  doubtMs({ now, earliest }: { readonly now: number; readonly earliest: number }): number {
    const doubtful = [...this.#reports.values()].filter(kept => {
      return !kept.report.isLast && now > lateAt(kept) && earliest <= lateAt(kept)
    })
    return Math.max(0, ...doubtful.map(kept => lateAt(kept) - kept.at))
  }

  /** When the count of published or collected rows of a job last grew. Null: nobody reported that it did. */
  movedAt(part: 'publishing' | 'collecting', job: string): number | null {
    return this.#moved.get(`${part}/${job}`)?.at ?? null
  }

  #move(key: string, count: number, at: number): void {
    const before = this.#moved.get(key)
    if (before && count <= before.count) return
    this.#moved.delete(key)
    this.#moved.set(key, { count, at })
    if (this.#moved.size > MOST_PROCESSES) this.#moved.delete(this.#moved.keys().next().value!)
  }
}

/** After this, in ms since 1970, a process is silent. */
function lateAt({ report, at }: Kept): number {
  return at + report.everySeconds * 1000 + GRACE_MS
}
