import assert from 'node:assert/strict'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse, stringify } from 'yaml'
import { testFolder } from '../helpers/cli.ts'
import { NO_PROMETHEUS, promtool } from '../helpers/prometheus.ts'
import { ALERTS, type AlertRule, MONITORING, RULE_FILES, type RuleFile, textOf } from './monitoring-files.ts'

const CASES = 'test/monitor/alerts.yml'

interface Cases {
  readonly tests: readonly { readonly name: string }[]
}

/** Whether the cases of this alert, or of all, hold with these rules instead. */
function holds(t: { after(fn: () => void): void }, change: (rules: string) => string, alert = ''): boolean {
  const folder = testFolder(t)
  const rules = join(folder, 'docker/monitoring/rules')
  mkdirSync(rules, { recursive: true })
  mkdirSync(join(folder, 'test/monitor'), { recursive: true })
  for (const file of RULE_FILES)
    writeFileSync(join(folder, 'docker/monitoring', file), change(textOf(`docker/monitoring/${file}`)))
  const cases: Cases = parse(textOf(CASES))
  const tests = cases.tests.filter(({ name }) => name.startsWith(alert))
  assert.ok(tests.length > 1)
  writeFileSync(join(folder, CASES), stringify({ ...cases, tests }, { aliasDuplicateObjects: false }))
  assert.equal(promtool('check', 'rules', ...RULE_FILES.map(file => join(folder, 'docker/monitoring', file))).status, 0)
  return promtool('test', 'rules', join(folder, CASES)).status === 0
}

test('promtool finds nothing wrong with prometheus.yml and the rules that it names', { skip: NO_PROMETHEUS }, t => {
  const folder = join(testFolder(t), 'monitoring')
  cpSync(MONITORING, folder, { recursive: true })
  writeFileSync(join(folder, 'token'), 'secret')
  const { status, stdout, stderr } = promtool('check', 'config', join(folder, 'prometheus.yml'))
  assert.equal(status, 0, stderr)
  assert.match(stdout, new RegExp(`SUCCESS: ${RULE_FILES.length} rule files found`))
  assert.doesNotMatch(stdout + stderr, /warning|WARNING/)
})

test('each alert fires in the cases that say so, and in no other', { skip: NO_PROMETHEUS }, t => {
  const cases: Cases = parse(textOf(CASES))
  const names = cases.tests.map(({ name }) => name)
  for (const { alert } of ALERTS) {
    assert.ok(
      names.some(name => name.startsWith(`${alert} fires: `)),
      alert,
    )
    assert.ok(
      names.some(name => name.startsWith(`${alert} does not fire: `)),
      alert,
    )
  }
  assert.ok(holds(t, rules => rules))
})

/** Whether the cases of this alert hold although it is changed. */
function holdsWith(t: { after(fn: () => void): void }, name: string, change: (rule: AlertRule) => AlertRule): boolean {
  const changed = (text: string) => {
    const { groups }: RuleFile = parse(text)
    const all = groups.map(({ rules, ...group }) => ({
      ...group,
      rules: rules.map(rule => (rule.alert === name ? change(rule) : rule)),
    }))
    return stringify({ groups: all })
  }
  return holds(t, changed, name)
}

test('the cases of an alert fail if it never fires', { skip: NO_PROMETHEUS }, t => {
  for (const { alert } of ALERTS)
    assert.ok(!holdsWith(t, alert, rule => ({ ...rule, expr: 'vector(0) > 1', for: '0s' })), alert)
})

test('the cases of an alert fail if it does not wait until its condition lasts', { skip: NO_PROMETHEUS }, t => {
  const waiting = ALERTS.filter(rule => rule.for !== undefined)
  assert.ok(waiting.length > 5)
  for (const { alert } of waiting) assert.ok(!holdsWith(t, alert, rule => ({ ...rule, for: '0s' })), alert)
})

test('the cases of an alert fail without any further condition of it', { skip: NO_PROMETHEUS }, t => {
  let conditions = 0
  for (const file of RULE_FILES)
    for (const [, alert, rule] of textOf(`docker/monitoring/${file}`).matchAll(/- alert: (\w+)\n((?: {8}.*\n)*)/g))
      for (const [condition] of rule!.matchAll(/^ *(and|unless|or) .*$/gm)) {
        conditions++
        assert.ok(!holds(t, rules => rules.replace(rule!, rule!.replace(condition, '')), alert), condition)
      }
  assert.ok(conditions > 4)
})
