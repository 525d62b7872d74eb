import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { OPTIONS } from '../../src/options.ts'
import { documentedMetrics, MONITORING, metricsIn, ROOT, textOf } from './monitoring-files.ts'

interface Service {
  readonly image: string
  readonly command?: string
  readonly ports?: readonly string[]
  readonly volumes: readonly string[]
}

const COMPOSE = parse(textOf('docker/monitoring/compose.yaml'))
const SERVICES: Readonly<Record<string, Service>> = COMPOSE.services
/** What the user makes, as docs/monitoring.md says. */
const MADE = ['./monitoring/token', './monitoring/data/prometheus', './monitoring/data/grafana']

test('the images of Prometheus and Grafana have a version', () => {
  assert.match(SERVICES['prometheus']!.image, /^\$\{PROMETHEUS_IMAGE:-prom\/prometheus:v\d+\.\d+\.\d+\}$/)
  assert.match(SERVICES['grafana']!.image, /^\$\{GRAFANA_IMAGE:-grafana\/grafana:\d+\.\d+\.\d+\}$/)
})

test('every port is on loopback only', () => {
  for (const { ports = [] } of Object.values(SERVICES)) for (const port of ports) assert.match(port, /^127\.0\.0\.1:/)
})

test('every file that a container gets is there, or docs/monitoring.md makes it and git ignores it', () => {
  const page = textOf('docs/monitoring.md')
  for (const { volumes } of Object.values(SERVICES))
    for (const volume of volumes) {
      const [path] = volume.split(':')
      if (!MADE.includes(path!)) assert.ok(existsSync(join(ROOT, 'docker', path!)), path)
      else assert.ok(page.includes(`docker/${path!.slice(2)}`), path)
    }
  assert.match(textOf('.gitignore'), /^\/docker\/monitoring\/token\n\/docker\/monitoring\/data\/$/m)
})

test('a service of this file has no name of the job beside it', () => {
  const job: object = parse(textOf('docker/compose.yaml')).services
  assert.deepEqual(
    Object.keys(SERVICES).filter(name => Object.hasOwn(job, name)),
    [],
  )
})

test('the targets are where rowmill monitor listens, and it knows the name by which Prometheus calls it', () => {
  const targets = (folder: string) => parse(textOf(`docker/monitoring/${folder}/monitor.yml`))[0].targets
  const port = OPTIONS.monitorPort.fallback
  assert.deepEqual(targets('targets'), [`127.0.0.1:${port}`])
  assert.deepEqual(targets('compose-targets'), [`monitor:${port}`])
  assert.match(SERVICES['monitor']!.command!, / --metrics-allowed-host monitor$/)
})

test('both folders of targets have a file for each job of prometheus.yml', () => {
  const { scrape_configs: jobs } = parse(textOf('docker/monitoring/prometheus.yml'))
  const files: readonly string[] = jobs.flatMap(
    ({ file_sd_configs: [{ files }] }: { file_sd_configs: [{ files: readonly string[] }] }) => files,
  )
  assert.equal(files.length, 4)
  for (const file of files)
    for (const folder of ['', 'compose-']) assert.ok(existsSync(join(MONITORING, `${folder}${file}`)), file)
})

/** What the scaler of KEDA takes (pkg/scalers/prometheus_scaler.go), without the logins of clouds. */
const SCALER = ['serverAddress', 'query', 'threshold', 'activationThreshold', 'ignoreNullValues', 'timeout']

test('KEDA scales by a metric of docs/metrics.md, and a missing monitor is a fault', () => {
  const { kind, spec } = parse(textOf('docker/monitoring/keda/scaledobject.yaml'))
  assert.equal(kind, 'ScaledObject')
  assert.ok(spec.minReplicaCount <= spec.maxReplicaCount)
  const deployment = parse(textOf('docker/kubernetes/workers.yaml'))
  assert.equal(spec.scaleTargetRef.name, deployment.metadata.name)
  const [{ type, metadata }] = spec.triggers
  assert.equal(type, 'prometheus')
  assert.deepEqual(
    Object.keys(metadata).filter(key => !SCALER.includes(key)),
    [],
  )
  for (const value of Object.values(metadata)) assert.equal(typeof value, 'string')
  assert.deepEqual(
    metricsIn(metadata.query).filter(name => !documentedMetrics().has(name)),
    [],
  )
  assert.equal(metadata.ignoreNullValues, 'false')
})
