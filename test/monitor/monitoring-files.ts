/** What docker/monitoring holds, for the tests of it. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

export const ROOT = join(import.meta.dirname, '../..')
export const MONITORING = join(ROOT, 'docker/monitoring')

export const textOf = (file: string): string => readFileSync(join(ROOT, file), 'utf8')

export interface AlertRule {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: { readonly severity: string }
  readonly annotations: Readonly<Record<'summary' | 'description' | 'runbook', string>>
}

export interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly AlertRule[] }[]
}

export const RULE_FILES: readonly string[] = globSync('rules/*.yml', { cwd: MONITORING }).sort()

export const ALERTS: readonly AlertRule[] = RULE_FILES.flatMap(file => {
  const { groups }: RuleFile = parse(textOf(`docker/monitoring/${file}`))
  return groups.flatMap(({ rules }) => rules)
})
interface DashboardPanel {
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly targets?: readonly { readonly expr: string }[]
}

export interface Dashboard {
  readonly panels: readonly DashboardPanel[]
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] }
}

export const DASHBOARD: Dashboard = JSON.parse(textOf('docker/monitoring/grafana/dashboard.json'))

/** Each query of the dashboard, with the title of its panel. */
export const QUERIES: readonly (readonly [title: string, expr: string])[] = DASHBOARD.panels.flatMap(
  ({ title, targets = [] }) => targets.map(({ expr }) => [title, expr] as const),
)

/** The metrics that a text in PromQL names, without what a histogram adds to its name. */
export function metricsIn(text: string): readonly string[] {
  const names = text.match(/\browmill_[a-z_]+/g) ?? []
  return [...new Set(names.map(name => name.replace(/_(bucket|sum|count)$/, '')))]
}

/** The metrics of docs/metrics.md, each with its labels besides `pipeline`. */
export function documentedMetrics(): ReadonlyMap<string, readonly string[]> {
  const rows = textOf('docs/metrics.md').matchAll(/^\| `(rowmill_\w+)` \| \w+ \| ([^|]*)\|/gm)
  return new Map(
    Array.from(rows, ([, name, labels]) => [name!, Array.from(labels!.matchAll(/`(\w+)`/g), ([, label]) => label!)]),
  )
}
