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
  new Gauge({
    ...configOf(registry, spec),
    async collect() {
      await refill(this, spec, (labels, value) => this.set(labels, value))
    },
  })
}

/** Adds a counter that is counted elsewhere. */
export function addCounter<L extends string = never>(registry: Registry, spec: SeriesSpec<L>): void {
  new Counter({
    ...configOf(registry, spec),
    async collect() {
      await refill(this, spec, (labels, value) => this.inc(labels, value))
    },
  })
}

function configOf<L extends string>(registry: Registry, { name, help, labels = [] }: SeriesSpec<L>) {
  return { name, help, labelNames: [...labels], registers: [registry] }
}

/** Replaces all series of a metric by those of the moment. */
async function refill<L extends string>(
  metric: { reset(): void; remove(): void },
  { labels = [], fill }: SeriesSpec<L>,
  write: (labels: Readonly<Record<L, string | number>>, value: number) => void,
): Promise<void> {
  metric.reset()
  if (labels.length === 0) metric.remove() // a reset sets it to 0
  await fill((of, value) => {
    if (value !== null) write(of, value)
  })
}
