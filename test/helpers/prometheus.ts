import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { stringify } from 'yaml'
import { freePort } from './free-port.ts'
import { until } from './until.ts'

/** Where Prometheus can be installed, ROWMILL_TEST_PROMETHEUS=required makes its tests fail instead of skipping them. */
export const NO_PROMETHEUS =
  process.env['ROWMILL_TEST_PROMETHEUS'] !== 'required' && spawnSync('promtool', ['--version']).error
    ? 'there is no promtool here (apt-get install prometheus)'
    : false

export function promtool(...args: readonly string[]): SpawnSyncReturns<string> {
  return spawnSync('promtool', args, { encoding: 'utf8' })
}

/** A series of an instant query: its labels, and its value with the second of 1970. */
export interface PromSeries {
  readonly metric: Readonly<Record<string, string>>
  readonly value: readonly [second: number, value: string]
}

/** An answer of its HTTP API. */
interface Answer<T> {
  readonly status: 'success' | 'error'
  readonly error?: string
  readonly data: T
}

interface EvaluatedRule {
  readonly name: string
  readonly health: 'ok' | 'err' | 'unknown'
  readonly lastError?: string
}

export interface PrometheusSettings {
  /** Its configuration, as prometheus.yml has it. */
  readonly config: object
  /** Files that the configuration names, by their paths beside it. */
  readonly files: Readonly<Record<string, string>>
}

/** Prometheus on a port of its own. It ends with the test. */
export class TestPrometheus {
  readonly #address: string

  private constructor(address: string) {
    this.#address = address
  }

  static async start(
    t: { after(fn: () => Promise<void>): void },
    { config, files }: PrometheusSettings,
  ): Promise<TestPrometheus> {
    const folder = mkdtempSync(join(tmpdir(), 'rowmill-prometheus-'))
    for (const [path, text] of Object.entries({ ...files, 'prometheus.yml': stringify(config) })) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), text)
    }
    const address = `127.0.0.1:${await freePort()}`
    const places = { 'config.file': join(folder, 'prometheus.yml'), 'storage.tsdb.path': join(folder, 'data') }
    const settings = Object.entries({ ...places, 'web.listen-address': address, 'log.level': 'error' })
    const child = spawn(
      'prometheus',
      settings.map(([name, value]) => `--${name}=${value}`),
      { stdio: ['ignore', 'inherit', 'inherit'] },
    )
    t.after(async () => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill()
        await once(child, 'exit')
      }
      rmSync(folder, { recursive: true })
    })
    await until('Prometheus is ready', () => {
      if (child.exitCode !== null) throw new Error(`prometheus ended with ${child.exitCode}`)
      return fetch(`http://${address}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      )
    })
    return new TestPrometheus(address)
  }

  /** What this query gives now. Rejects with what Prometheus says if it does not understand the query. */
  async query(expr: string): Promise<readonly PromSeries[]> {
    const path = `query?${new URLSearchParams({ query: expr })}`
    return (await this.#get<{ result: readonly PromSeries[] }>(path)).result
  }

  /** The rules that it cannot evaluate, each with the reason. */
  async faultyRules(): Promise<readonly string[]> {
    const { groups } = await this.#get<{ groups: readonly { rules: readonly EvaluatedRule[] }[] }>('rules')
    const faulty = groups.flatMap(({ rules }) => rules).filter(({ health }) => health === 'err')
    return faulty.map(({ name, lastError }) => `${name}: ${lastError}`)
  }

  async #get<T>(path: string): Promise<T> {
    const answer = (await (await fetch(`http://${this.#address}/api/v1/${path}`)).json()) as Answer<T>
    if (answer.status !== 'success') throw new Error(`${path}: ${answer.error}`)
    return answer.data
  }
}
