/**
 * Writes docker/monitoring/grafana/dashboard.json. A test compares it, and runs each of its queries on a real Prometheus.
 * Several monitors may watch a pipeline: `max by` makes one series of theirs.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

const OUT = join(import.meta.dirname, '../docker/monitoring/grafana/dashboard.json')
const DATASOURCE = { type: 'prometheus', uid: '$datasource' }
const PIPELINE = 'pipeline="$pipeline"'
const JOB = `${PIPELINE},job_id=~"$job_id"`

interface Query {
  readonly expr: string
  readonly legend?: string
  readonly format?: 'time_series' | 'table' | 'heatmap'
  /** Only the value of now. */
  readonly instant?: boolean
}

interface Panel {
  readonly type: string
  readonly title: string
  readonly description: string
  readonly width: number
  readonly height?: number
  readonly queries: readonly Query[]
  readonly unit?: string
  readonly options?: object
  readonly custom?: object
  readonly defaults?: object
  readonly transformations?: readonly object[]
}

/** The values of the queries of the first table. */
const COLUMNS = [
  '', // of the phase, always 1
  'For how long',
  'Rows',
  'Published',
  'Classified',
  'Written',
  'Rejected',
  'Time left',
  'Nothing moved for',
]
const rowsOf = (stage: string) => `max by (job_id) (rowmill_job_rows{${JOB},stage="${stage}"})`

const JOBS: Panel = {
  type: 'table',
  title: 'Jobs',
  description:
    'stalled: rows wait and nothing moves. waiting, publishing: the publisher is not done. classifying: workers are not done. writing: every row has a result, and a collector writes them. Waits for: what the next row in order waits for. "rowmill status JOB" says the row, its partition and its worker.',
  width: 24,
  queries: [
    { expr: `max by (job_id, phase) (rowmill_job_phase{${JOB}} == 1)` },
    { expr: `topk by (job_id) (1, max by (job_id, reason) (rowmill_job_wait_seconds{${JOB}}))` },
    ...['total', 'published', 'classified', 'written', 'rejected'].map(stage => ({ expr: rowsOf(stage) })),
    { expr: `max by (job_id) (rowmill_job_eta_seconds{${JOB}})` },
    { expr: `max by (job_id) (rowmill_job_idle_seconds{${JOB}})` },
  ].map(query => ({ ...query, format: 'table', instant: true })),
  transformations: [
    { id: 'joinByField', options: { byField: 'job_id', mode: 'outer' } },
    { id: 'filterFieldsByName', options: { exclude: { pattern: '^(Time.*|Value #A)$' } } },
    {
      id: 'organize',
      options: {
        renameByName: {
          job_id: 'Job',
          phase: 'Phase',
          reason: 'Waits for',
          ...Object.fromEntries(COLUMNS.slice(1).map((name, at) => [`Value #${refOf(at + 1)}`, name])),
        },
      },
    },
  ],
}

const FIRST: readonly Panel[] = [
  JOBS,
  {
    type: 'bargauge',
    title: 'Rows without a result, by partition',
    description:
      'The ten partitions with the longest queue. The output comes in order, so the slowest one holds it up.',
    width: 10,
    queries: [
      {
        expr: `topk(10, max by (topic, partition) (rowmill_lag_rows{${PIPELINE}}))`,
        legend: '{{topic}} {{partition}}',
        instant: true,
      },
    ],
    options: { orientation: 'horizontal', displayMode: 'gradient' },
  },
  {
    type: 'stat',
    title: 'Workers',
    description: 'silent: its report is late, so it is frozen or cut off. gone: it ended.',
    width: 6,
    queries: [
      {
        expr: `max by (state) (rowmill_pipeline_workers{${PIPELINE}})`,
        legend: '{{state}}',
        instant: true,
      },
    ],
  },
  {
    type: 'stat',
    title: 'Brokers',
    description: 'Whether a broker answers the monitor.',
    width: 4,
    queries: [{ expr: `max by (pipeline) (rowmill_broker_up{${PIPELINE}})`, legend: ' ', instant: true }],
    defaults: {
      mappings: [
        {
          type: 'value',
          options: { 0: { text: 'no answer', color: 'red' }, 1: { text: 'answer', color: 'green' } },
        },
      ],
    },
  },
  {
    type: 'stat',
    title: 'Backlog: seconds of work',
    description: 'How long the workers need for all rows without a result, at the rate of now.',
    width: 4,
    unit: 's',
    queries: [{ expr: `max by (pipeline) (rowmill_backlog_seconds{${PIPELINE}})`, legend: ' ', instant: true }],
  },
]

const SPEED: readonly Panel[] = [
  {
    type: 'timeseries',
    title: 'Rows per second, by stage',
    description: 'Of the chosen jobs, on all machines.',
    width: 12,
    unit: 'suffix: rows/s',
    queries: [
      {
        expr: `sum by (stage) (max by (job_id, stage) (clamp_min(deriv(rowmill_job_rows{${JOB},stage!="total"}[$__rate_interval]), 0)))`,
        legend: '{{stage}}',
      },
    ],
  },
  {
    type: 'timeseries',
    title: 'Classified rows per second, by process',
    description: 'Of commands with --metrics-port.',
    width: 12,
    unit: 'suffix: rows/s',
    queries: [
      {
        expr: `sum by (instance) (rate(rowmill_classified_rows_total{${PIPELINE}}[$__rate_interval]))`,
        legend: '{{instance}}',
      },
    ],
  },
  {
    type: 'timeseries',
    title: 'Backlog: rows without a result',
    description: 'Of all open jobs.',
    width: 8,
    queries: [{ expr: `max by (pipeline) (rowmill_backlog_rows{${PIPELINE}})`, legend: 'rows' }],
  },
  {
    type: 'timeseries',
    title: 'Age of the oldest row without a result',
    description:
      'By topic. Rows of files travel in bulk, and wait for as long as their job takes. Those of events travel in rows.',
    width: 8,
    unit: 's',
    queries: [{ expr: `max by (topic) (rowmill_lag_seconds{${PIPELINE}})`, legend: '{{topic}}' }],
  },
  {
    type: 'timeseries',
    title: 'Time left, by job',
    description: 'Until the slowest partition is done.',
    width: 8,
    unit: 's',
    queries: [{ expr: `max by (job_id) (rowmill_job_eta_seconds{${JOB}})`, legend: '{{job_id}}' }],
  },
]

const quantile = (of: string, by: string, share: number) =>
  `histogram_quantile(${share}, sum by (${by}) (rate(${of}_bucket{${PIPELINE}}[$__rate_interval])))`

const TIME: readonly Panel[] = [
  {
    type: 'timeseries',
    title: 'Seconds of a batch, by stage',
    description:
      'queue: from the arrival of its first message until a classifier began with it. classify: in the classifier. send: until its results were acknowledged. Many batches wait in the queue side by side: a long queue means that the workers are busy. Long classify: a faster function helps. Long send: the brokers are slow.',
    width: 12,
    unit: 's',
    queries: [0.5, 0.95].map(share => ({
      expr: quantile('rowmill_batch_duration_seconds', 'le, stage', share),
      legend: `{{stage}}, ${share * 100} % of them at most`,
    })),
  },
  {
    type: 'heatmap',
    title: 'Seconds of a batch in the classifier',
    description: 'How many batches took how long.',
    width: 12,
    queries: [
      {
        expr: `sum by (le) (increase(rowmill_batch_duration_seconds_bucket{${PIPELINE},stage="classify"}[$__rate_interval]))`,
        legend: '{{le}}',
        format: 'heatmap',
      },
    ],
    options: { calculate: false, yAxis: { unit: 's' }, color: { mode: 'scheme', scheme: 'Oranges' } },
  },
  {
    type: 'timeseries',
    title: 'What the workers spend their time on',
    description:
      'Shares of the time of all workers. classify: more workers or a faster function help. wait: there are no rows for them. send: the brokers are slow. start: they import the classifier.',
    width: 12,
    unit: 'percentunit',
    queries: [
      {
        expr: `sum by (activity) (rate(rowmill_worker_time_seconds_total{${PIPELINE}}[$__rate_interval])) / scalar(sum(rate(rowmill_worker_time_seconds_total{${PIPELINE}}[$__rate_interval])))`,
        legend: '{{activity}}',
      },
    ],
    custom: { stacking: { mode: 'normal' }, fillOpacity: 30 },
  },
  {
    type: 'timeseries',
    title: 'Seconds that the ordered output waited for a row',
    description: 'Results of later rows are there, and the next row in order is not.',
    width: 12,
    unit: 's',
    queries: [
      { expr: quantile('rowmill_reorder_wait_seconds', 'le', 0.95), legend: '95 % of the waits at most' },
      {
        expr: `sum(rate(rowmill_reorder_wait_seconds_sum{${PIPELINE}}[$__rate_interval]))`,
        legend: 'waiting, per second',
      },
    ],
  },
]

const FAULTS: readonly Panel[] = [
  {
    type: 'timeseries',
    title: 'Rejected rows, by reason',
    description: '"rowmill rejects list --job JOB" shows them, "rowmill rejects replay" has them classified again.',
    width: 8,
    queries: [
      {
        expr: `sum by (reason) (max by (job_id, reason) (rowmill_job_rejected_rows{${JOB}}))`,
        legend: '{{reason}}',
      },
    ],
  },
  {
    type: 'timeseries',
    title: 'Restarts and rebalances',
    description:
      'How often workers and their classifiers were started again, and workers got other partitions, in the interval. Of commands with --metrics-port.',
    width: 8,
    queries: [
      {
        expr: `sum by (instance) (increase(rowmill_worker_restarts_total{${PIPELINE}}[$__rate_interval]))`,
        legend: 'restarts of workers on {{instance}}',
      },
      {
        expr: `sum by (instance, reason) (increase(rowmill_classifier_restarts_total{${PIPELINE}}[$__rate_interval]))`,
        legend: 'restarts of classifiers on {{instance}}, {{reason}}',
      },
      {
        expr: `sum by (instance) (increase(rowmill_rebalances_total{${PIPELINE}}[$__rate_interval]))`,
        legend: 'rebalances on {{instance}}',
      },
    ],
  },
  {
    type: 'timeseries',
    title: 'Workers, by state',
    description: 'On all machines.',
    width: 8,
    queries: [{ expr: `max by (state) (rowmill_pipeline_workers{${PIPELINE}})`, legend: '{{state}}' }],
    custom: { stacking: { mode: 'normal' }, fillOpacity: 30 },
  },
  {
    type: 'timeseries',
    title: 'Second copies that the collector dropped',
    description: 'Some are normal after a worker died. The output has each row once.',
    width: 8,
    queries: [
      {
        expr: `sum by (instance) (increase(rowmill_duplicate_rows_total{${PIPELINE}}[$__rate_interval]))`,
        legend: '{{instance}}',
      },
    ],
  },
  {
    type: 'timeseries',
    title: 'Free disk where a command writes',
    description: 'A full disk ends the command, which logs the line that resumes it.',
    width: 8,
    unit: 'bytes',
    queries: [
      {
        expr: `min by (instance, path) (rowmill_disk_free_bytes{${PIPELINE}})`,
        legend: '{{path}} on {{instance}}',
      },
    ],
  },
  {
    type: 'table',
    title: 'Versions',
    description: 'Commands with --metrics-port, and the monitor.',
    width: 8,
    queries: [
      {
        expr: `max by (instance, command, version) (rowmill_build_info{${PIPELINE}})`,
        format: 'table',
        instant: true,
      },
    ],
    transformations: [{ id: 'filterFieldsByName', options: { exclude: { pattern: '^(Time|Value)$' } } }],
  },
]

const SECTIONS: Readonly<Record<string, readonly Panel[]>> = {
  'What the job waits for': FIRST,
  Speed: SPEED,
  'Where the time goes': TIME,
  Faults: FAULTS,
}

/** Grafana calls the queries of a panel A, B, C. */
function refOf(at: number): string {
  return String.fromCharCode('A'.charCodeAt(0) + at)
}

function panelOf(panel: Panel, id: number, place: { x: number; y: number }) {
  const { unit = 'short', options = {}, custom = {}, defaults = {}, transformations = [], height = 8 } = panel
  return {
    id,
    type: panel.type,
    title: panel.title,
    description: panel.description,
    datasource: DATASOURCE,
    gridPos: { ...place, w: panel.width, h: height },
    fieldConfig: {
      defaults: { unit, ...(panel.type === 'timeseries' ? { min: 0 } : {}), custom, ...defaults },
      overrides: overridesOf(panel),
    },
    options,
    transformations,
    targets: panel.queries.map(({ expr, legend, format = 'time_series', instant = false }, at) => ({
      refId: refOf(at),
      datasource: DATASOURCE,
      editorMode: 'code',
      expr,
      format,
      instant,
      range: !instant,
      ...(legend === undefined ? {} : { legendFormat: legend }),
    })),
  }
}

function overridesOf(panel: Panel): readonly object[] {
  if (panel !== JOBS) return []
  const seconds = ['For how long', 'Time left', 'Nothing moved for']
  return seconds.map(name => ({
    matcher: { id: 'byName', options: name },
    properties: [{ id: 'unit', value: 's' }],
  }))
}

function panels(): readonly object[] {
  const made: object[] = []
  let y = 0
  for (const [title, section] of Object.entries(SECTIONS)) {
    made.push({
      id: made.length + 1,
      type: 'row',
      title,
      collapsed: false,
      gridPos: { x: 0, y, w: 24, h: 1 },
      panels: [],
    })
    y++
    let x = 0
    for (const panel of section) {
      if (x + panel.width > 24) {
        x = 0
        y += 8
      }
      made.push(panelOf(panel, made.length + 1, { x, y }))
      x += panel.width
    }
    y += 8
  }
  return made
}

const choice = (name: string, label: string, query: string, all: boolean) => ({
  type: 'query',
  name,
  label,
  datasource: DATASOURCE,
  definition: query,
  query: { query, refId: 'StandardVariableQuery' },
  refresh: 2,
  sort: 1,
  multi: all,
  includeAll: all,
  ...(all ? { allValue: '.*', current: { text: 'All', value: '$__all' } } : {}),
})

/** The text of the file. */
export function dashboard(): string {
  const model = {
    uid: 'rowmill',
    title: 'rowmill',
    description: 'Jobs of a rowmill pipeline: what they wait for, how fast they are, and where the time goes.',
    tags: [],
    schemaVersion: 42,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: '10s',
    time: { from: 'now-1h', to: 'now' },
    timezone: 'browser',
    annotations: { list: [] },
    links: [],
    templating: {
      list: [
        { type: 'datasource', name: 'datasource', label: 'Prometheus', query: 'prometheus', refresh: 1 },
        choice('pipeline', 'Pipeline', 'label_values(rowmill_broker_up, pipeline)', false),
        choice('job_id', 'Job', `label_values(rowmill_job_phase{${PIPELINE}}, job_id)`, true),
      ],
    },
    panels: panels(),
  }
  return `${JSON.stringify(model, null, 2)}\n`
}

if (import.meta.main) writeFileSync(OUT, dashboard())
