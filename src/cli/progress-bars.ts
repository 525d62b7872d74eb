import { MultiBar, Presets, type SingleBar } from 'cli-progress'
import { describeSpeed } from '../support/counted.ts'
import { duration } from './duration.ts'
import { lastStage, type Progress, type Stage } from './progress.ts'

/** The progress of a command on a terminal: a bar for each stage, and lines above them. */
export class ProgressBars {
  readonly #multi: MultiBar
  readonly #bars: ReadonlyMap<Stage, SingleBar>

  constructor(stages: readonly Stage[]) {
    const format = '{stage} [{bar}] {percentage} % {value}/{total}{speed}'
    const preset = 'NO_COLOR' in process.env ? Presets.legacy : Presets.rect
    this.#multi = new MultiBar({ format, stream: process.stderr, hideCursor: true, emptyOnZero: true }, preset)
    const bar = (stage: Stage) => this.#multi.create(0, 0, { stage: stage.padEnd(10), speed: '' })
    this.#bars = new Map(stages.map(stage => [stage, bar(stage)]))
  }

  show(progress: Progress, rowsPerSecond: number): void {
    const last = lastStage(progress)
    const total = progress.total ?? progress.published ?? last
    const left = rowsPerSecond > 0 && total > last ? `, ${duration((total - last) / rowsPerSecond)} left` : ''
    const speed = `, ${describeSpeed(rowsPerSecond)}${left}`
    const lastBar = [...this.#bars.values()].at(-1)
    for (const [stage, bar] of this.#bars) {
      bar.setTotal(total)
      bar.update(progress[stage] ?? 0, { speed: bar === lastBar ? speed : '' })
    }
    this.#multi.update()
  }

  log(text: string): void {
    this.#multi.log(text)
  }

  stop(): void {
    this.#multi.stop()
  }
}
