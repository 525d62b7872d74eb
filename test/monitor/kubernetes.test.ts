/** docker/kubernetes/workers.yaml probes paths that are served, and gives options that exist. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { workCommand } from '../../src/cli/commands/work.ts'
import { Meter } from '../../src/monitor/meter.ts'
import { OPTIONS, type OptionSpec } from '../../src/options.ts'
import { parseOption } from '../../src/parse-option.ts'

const FILE = join(import.meta.dirname, '../../docker/kubernetes/workers.yaml')
const { spec } = parse(readFileSync(FILE, 'utf8')).spec.template
const [container] = spec.containers

test('the command of the manifest is one that work takes, and its liveness outlasts the longest batch', () => {
  const [command, ...flags] = container.args as string[]
  assert.equal(command, 'work')
  const values = new Map<string, unknown>()
  for (const given of flags) {
    const [, flag, value] = /^--([a-z-]+)=(.+)$/.exec(given)!
    const option = workCommand.options.find(name => OPTIONS[name].flag === flag)
    assert.ok(option, given)
    values.set(flag!, parseOption(OPTIONS[option] as OptionSpec<unknown>, `--${flag}`, value!))
  }
  assert.equal(container.ports[0].containerPort, values.get('metrics-port'))
  assert.ok((values.get('stalled-after') as number) > OPTIONS.batchTimeout.fallback)
})

test('each probe asks a path that a command answers without a token', async () => {
  const meter = new Meter({ command: 'work', version: '1.0.0', stalledAfterSeconds: 60, output: null })
  const open = meter.routes.filter(({ isOpen }) => isOpen).map(({ path }) => path)
  const probes = Object.entries(container).filter(([name]) => name.endsWith('Probe'))
  assert.equal(probes.length, 3)
  for (const [name, probe] of probes as [string, { httpGet: { path: string; port: string } }][])
    assert.ok(open.includes(probe.httpGet.path) && probe.httpGet.port === container.ports[0].name, name)
  await meter.close()
})

test('Kubernetes sets no variable for the service of the metrics, which would be taken for a port', () => {
  assert.equal(spec.enableServiceLinks, false)
})
