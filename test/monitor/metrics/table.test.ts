/** docs/metrics.md has every metric that is served, with its type and its labels, and no other. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Registry } from 'prom-client'
import { CommandMetrics } from '../../../src/monitor/metrics/command-metrics.ts'
import { monitorRegistry } from '../../../src/monitor/metrics/monitor-registry.ts'
import { aJob, aView, MadeSource } from '../../helpers/made-view.ts'
import { NO_PROMETHEUS } from '../../helpers/prometheus.ts'

const SECTIONS = new Map(
  readFileSync(join(import.meta.dirname, '../../../docs/metrics.md'), 'utf8')
    .split(/^## /m)
    .map(section => [section.split('\n', 1)[0]!, section]),
)

/** The rows of the tables in these sections, as `name type labels`. */
function documented(...sections: string[]): string[] {
  const rows = sections.flatMap(section => [
    ...SECTIONS.get(section)!.matchAll(/^\| `(\w+)` \| (\w+) \| (.*?) ?\| .+ \|$/gm),
  ])
  return rows.map(([, name, type, labels]) => [name, type, ...labelsIn(labels!)].join(' ')).sort()
}

/** A label may be followed by its values: `stage`: queue, classify. */
function labelsIn(cell: string): string[] {
  return [...cell.matchAll(/`(\w+)`/g)].map(([, label]) => label!)
}

function served(registry: Registry): string[] {
  const metrics = registry.getMetricsAsArray() as unknown as { name: string; type: string; labelNames: string[] }[]
  return metrics.map(({ name, type, labelNames }) => [name, type, ...labelNames].join(' ')).sort()
}

const NOTHING = { publishing: null, working: null, collecting: null }

function ofCommand() {
  return new CommandMetrics({
    command: 'collect',
    version: '1.0.0',
    look: () => NOTHING,
    output: '/tmp/out.csv',
    job: null,
  })
}

function ofRun() {
  const { id, phase, rows, etaSeconds } = aJob()
  const job = () => ({ id, phase, rows, etaSeconds, idleSeconds: 0 })
  return new CommandMetrics({ command: 'run', version: '1.0.0', look: () => NOTHING, output: '/tmp/out.csv', job })
}

function ofMonitor() {
  const source = new MadeSource()
  source.show(aView())
  return monitorRegistry(source, { version: '1.0.0', pipeline: 'mill' })
}

test('docs/metrics.md names what a command serves, and nothing else', () => {
  assert.deepEqual(
    served(ofCommand().registry),
    documented('Of each command that has --metrics-port', 'Of each process'),
  )
})

test('docs/metrics.md names what a run serves, and nothing else', () => {
  assert.deepEqual(
    served(ofRun().registry),
    documented('Of each command that has --metrics-port', 'Of each process', 'Of a job'),
  )
})

test('docs/metrics.md names what the monitor serves, and nothing else', () => {
  assert.deepEqual(served(ofMonitor()), documented('Of a job', 'Of a pipeline', 'Of each process'))
})

test('promtool finds no fault with any of them', { skip: NO_PROMETHEUS }, async () => {
  const command = ofCommand()
  command.rejected({ CLASSIFIER_FAILED: 1 })
  command.batches([[1, 2, 3]])
  for (const registry of [command.registry, ofRun().registry, ofMonitor()]) {
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
      input: await registry.metrics(),
      encoding: 'utf8',
    })
    assert.deepEqual([status, stdout, stderr], [0, '', ''])
  }
})
