import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dashboard } from '../../scripts/grafana-dashboard.ts'
import { COMMANDS } from '../../src/cli/commands/index.ts'
import { OPTIONS } from '../../src/options.ts'
import { ALERTS, DASHBOARD, documentedMetrics, metricsIn, QUERIES, textOf } from './monitoring-files.ts'

const METRICS = documentedMetrics()
/** Labels that a scrape adds, or that a histogram has. */
const ADDED = ['pipeline', 'instance', 'le']

/** What is not documented of the metrics and labels that this text names. */
function undocumented(text: string): readonly string[] {
  const names = metricsIn(text)
  const labels = new Set([...ADDED, ...names.flatMap(name => METRICS.get(name) ?? [])])
  const named = [
    ...Array.from(text.matchAll(/\b(?:by|on) \(([^)]*)\)/g), ([, list]) => list!.split(/,\s*/)),
    ...Array.from(text.matchAll(/rowmill_\w+\{([^}]*)\}/g), ([, list]) =>
      Array.from(list!.matchAll(/(\w+)(?:=|!)~?"/g), ([, label]) => label!),
    ),
  ].flat()
  return [...names.filter(name => !METRICS.has(name)), ...named.filter(label => !labels.has(label))]
}

test('docker/monitoring/grafana/dashboard.json is what scripts/grafana-dashboard.ts writes', () => {
  assert.equal(textOf('docker/monitoring/grafana/dashboard.json'), dashboard())
})

test('docs/metrics.md has every metric and label of each query of the dashboard', () => {
  assert.ok(METRICS.size > 15)
  assert.ok(QUERIES.length > 25)
  const definitions = DASHBOARD.templating.list.flatMap(({ definition = [] }) => definition)
  assert.deepEqual([...QUERIES.map(([, expr]) => expr), ...definitions].flatMap(undocumented), [])
})

test('docs/metrics.md has every metric and label of each alert', () => {
  const ours = ALERTS.filter(({ expr }) => expr.includes('rowmill_'))
  assert.ok(ours.length >= 10)
  assert.deepEqual(
    ours.flatMap(({ expr, annotations: { summary, description } }) => {
      const named = [...`${summary}${description}`.matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label)
      return undocumented(`${expr} by (${named.join(', ')})`)
    }),
    [],
  )
})

test('a metric and a label that docs/metrics.md lacks are found', () => {
  assert.deepEqual(undocumented('sum by (job_id) (rowmill_job_rows{stage="total"})'), [])
  assert.deepEqual(undocumented('sum by (job) (rowmill_job_row{stages="total"})'), ['rowmill_job_row', 'job', 'stages'])
})

test('each alert says how bad it is, what happened, what to do, and where more is said', () => {
  const page = textOf('docs/monitoring.md')
  for (const { alert, labels, annotations } of ALERTS) {
    assert.match(labels.severity, /^(critical|warning)$/, alert)
    assert.match(annotations.summary, /\{\{ \$labels\./, alert)
    assert.match(annotations.description, /\.$/, alert)
    assert.equal(annotations.runbook, `docs/monitoring.md#${alert.toLowerCase()}`)
    assert.match(page, new RegExp(`^### ${alert}$`, 'm'))
  }
  const headings = [...page.matchAll(/^### (Rowmill\w+)$/gm)].map(([, name]) => name)
  assert.deepEqual(headings.sort(), ALERTS.map(({ alert }) => alert).sort())
})

test('each panel of the dashboard says what it shows, and the first one is about jobs', () => {
  const panels = DASHBOARD.panels.filter(({ type }) => type !== 'row')
  assert.deepEqual(
    panels.filter(({ description }) => !description),
    [],
  )
  assert.equal(panels[0]!.title, 'Jobs')
})

/** What is wrong with a call of rowmill. Null: nothing. */
function faultOf(call: string): string | null {
  const words = call
    .replace(/^rowmill /, '')
    .replaceAll(/\{\{.*?\}\}/g, 'X')
    .split(' ')
  const command = COMMANDS.find(({ name }) => `${words.join(' ')} `.startsWith(`${name} `))
  if (!command) return `${call}: no command`
  const flags = command.options.map(option => `--${OPTIONS[option].flag}`)
  const unknown = words.filter(word => word.startsWith('--') && !flags.includes(word))
  return unknown.length > 0 ? `${call}: no option ${unknown}` : null
}

test('every command that an alert or a panel names exists, with its options', () => {
  const texts = [
    ...ALERTS.map(({ annotations: { description } }) => description),
    ...DASHBOARD.panels.map(({ description = '' }) => description),
  ]
  const calls = texts.flatMap(text => Array.from(text.matchAll(/"(rowmill [^"]*)"/g), ([, call]) => call!))
  assert.ok(calls.length > 12)
  assert.deepEqual(calls.map(faultOf).filter(Boolean), [])
  assert.deepEqual(faultOf('rowmill statuses'), 'rowmill statuses: no command')
  assert.deepEqual(faultOf('rowmill status --jobs X'), 'rowmill status --jobs X: no option --jobs')
})
