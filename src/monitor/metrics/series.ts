import { Counter, Gauge, type Registry } from './prom-client.ts'

/** Sets one series. Null: nothing is known, so there is no series. */
export type SetSeries<L extends string> = (labels: Readonly<Record<L, string | number>>, value: number | null) => void

export interface SeriesSpec<L extends string> {
  readonly name: string
  readonly help: string
  readonly labels?: readonly L[]
  /** Called at each scrape. Series that it does not set are gone. */
  readonly fill: (set: SetSeries<L>) => void | Promise<void>
}

/** Adds a gauge whose series are those of the moment: a job that is removed leaves none behind. */
export function addGauge<L extends string = never>(registry: Registry, spec: SeriesSpec<L>): void {
  const { name, help, labels: labelNames = [], fill } = spec
  new Gauge({
    name,
    help,
    labelNames: [...labelNames],
    registers: [registry],
    async collect() {
      this.reset()
      if (labelNames.length === 0) this.remove() // a reset sets it to 0
      await fill((labels, value) => {
        if (value !== null) this.set(labels, value)
      })
    },
  })
}

/** Adds a counter that is counted elsewhere. */
export function addCounter<L extends string = never>(registry: Registry, spec: SeriesSpec<L>): void {
  const { name, help, labels: labelNames = [], fill } = spec
  new Counter({
    name,
    help,
    labelNames: [...labelNames],
    registers: [registry],
    async collect() {
      this.reset()
      if (labelNames.length === 0) this.remove()
      await fill((labels, value) => {
        if (value !== null) this.inc(labels, value)
      })
    },
  })
}
