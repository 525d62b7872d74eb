/** What docker/monitoring gives Prometheus and Grafana, on a real Prometheus that scrapes a real pipeline. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { parse, stringify } from 'yaml'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { rowmill, startRowmill, testFolder } from '../helpers/cli.ts'
import { freePort } from '../helpers/free-port.ts'
import { NO_PROMETHEUS, TestPrometheus } from '../helpers/prometheus.ts'
import { until } from '../helpers/until.ts'
import { ALERTS, DASHBOARD, metricsIn, QUERIES, RULE_FILES, textOf } from './monitoring-files.ts'

const TOKEN = 'a-token-of-a-test-0123456789'
const EVERY = '1s'
const ROWS = 200_000

/** Every hundredth row is rejected, and a row takes a millisecond. */
const CLASSIFIER = `
import time

def classify_df(df):
    time.sleep(len(df) / 1000)
    if (df['ID'].astype(int) % 100 == 7).any():
        raise ValueError('ends in 07')
    df['MARK'] = 'ok'
    return df
`

/** A pipeline in which everything runs that can be scraped: publish, work and collect, and a monitor. */
async function startPipeline(t: TestContext, folder: string) {
  const { pipeline } = await testPipeline(t)
  const env = { ROWMILL_BROKERS: await brokerAddress(), ROWMILL_PIPELINE: pipeline }
  writeFileSync(join(folder, 'slow.py'), CLASSIFIER)
  writeFileSync(join(folder, 'rows.csv'), `ID,A\n${Array.from({ length: ROWS }, (_, row) => `${row},a\n`).join('')}`)
  writeFileSync(join(folder, 'token'), `${TOKEN}\n`, { mode: 0o600 })
  const start = async (args: readonly string[], portFlag = '--metrics-port') => {
    const port = await freePort()
    const served = ['--metrics-token-file', join(folder, 'token'), portFlag, String(port)]
    const command = startRowmill([...args, ...served], { env, cwd: folder })
    t.after(async () => {
      command.child.kill('SIGKILL')
      await command.finished
    })
    return { ...command, target: `127.0.0.1:${port}` }
  }
  const applied = await rowmill(['topics', 'apply', '--workers', '2'], { env })
  assert.equal(applied.code, 0, applied.stderr)
  const publish = await start(['publish', 'rows.csv', '--job', 'job', '--max-rejects', String(ROWS)])
  const work = await start(['work', '--classifier', 'slow.py', '--workers', '2'])
  const collect = await start(['collect', 'out.csv', '--job', 'job'])
  const monitor = await start(['monitor'], '--port')
  return { pipeline, publish, work, collect, monitor }
}

type Targets = Readonly<Record<'monitor' | 'workers' | 'commands', readonly string[]>>

/** Prometheus with the files of docker/monitoring. Only the targets are others, and it scrapes more often. */
async function startPrometheus(t: TestContext, targets: Targets): Promise<TestPrometheus> {
  const config = parse(textOf('docker/monitoring/prometheus.yml'))
  config.global = { scrape_interval: EVERY, evaluation_interval: EVERY }
  const rules = RULE_FILES.map(file => [file, textOf(`docker/monitoring/${file}`)])
  const lists = Object.entries(targets).map(([name, addresses]) => [
    `targets/${name}.yml`,
    stringify([{ targets: addresses }]),
  ])
  return await TestPrometheus.start(t, { config, files: { token: TOKEN, ...Object.fromEntries([...rules, ...lists]) } })
}

/** Waits until each query gave a number at some time. */
async function untilAllAnswered(prometheus: TestPrometheus, queries: readonly (readonly [string, string])[]) {
  const left = new Map(queries.map(([title, expr]) => [expr, title]))
  await until('every query gives a number', async () => {
    for (const expr of left.keys()) {
      const series = await prometheus.query(expr)
      if (series.some(({ value: [, number] }) => Number.isFinite(Number(number)))) left.delete(expr)
    }
    return left.size === 0
  }).catch(({ message }) => {
    throw new Error(`${message}, but not ${[...left].map(([expr, title]) => `${title}: ${expr}`).join('\n')}`)
  })
}

test('every query of the dashboard, and every metric of an alert, has values while a job runs', {
  skip: NO_PROMETHEUS,
}, async t => {
  const folder = testFolder(t)
  const { pipeline, publish, work, collect, monitor } = await startPipeline(t, folder)
  const prometheus = await startPrometheus(t, {
    monitor: [monitor.target],
    workers: [work.target],
    commands: [publish.target, collect.target],
  })
  const filled = (expr: string) =>
    expr.replaceAll('$pipeline', pipeline).replaceAll('$job_id', '.*').replaceAll('$__rate_interval', '4s')
  const ofAlerts = ALERTS.flatMap(({ alert, expr }) => metricsIn(expr).map(name => [alert, name] as const))
  const choices = DASHBOARD.templating.list.flatMap(({ name, definition }) => {
    const [, of, label] = /^label_values\((.*), (\w+)\)$/.exec(definition ?? '') ?? []
    return of === undefined ? [] : [[name, `count by (${label}) (${of})`] as const]
  })
  assert.equal(choices.length, 2)
  const scaler = parse(textOf('docker/monitoring/keda/scaledobject.yaml')).spec.triggers[0].metadata.query
  await untilAllAnswered(
    prometheus,
    [...QUERIES, ...choices, ...ofAlerts, ['KEDA', scaler.replace('rowmill"', '$pipeline"')] as const].map(
      ([title, expr]) => [title, filled(expr)] as const,
    ),
  ).catch(({ message }) => {
    const said = [publish, work, collect, monitor].map(command => `${command.args[0]}: ${command.said()}`)
    throw new Error([message, ...said].join('\n'))
  })

  assert.deepEqual(await prometheus.faultyRules(), [])
  const alerts = await prometheus.query('ALERTS{alertstate="firing",alertname!="RowmillRejects"}')
  assert.deepEqual(
    alerts.map(({ metric }) => metric['alertname']),
    [],
  )
  await until(
    'rejects are an alert',
    async () => (await prometheus.query('ALERTS{alertname="RowmillRejects"}')).length > 0,
  )

  work.child.kill('SIGTERM')
  await work.finished
  await until('rows without a worker are an alert', async () => {
    const waiting = await prometheus.query('ALERTS{alertname="RowmillNoWorker"}')
    return waiting.some(({ metric }) => metric['pipeline'] === pipeline)
  })
})
