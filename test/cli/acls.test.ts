import assert from 'node:assert/strict'
import { test } from 'node:test'
import { strimziUser } from '../../src/cli/strimzi.ts'
import { rightsOf } from '../../src/pipeline/roles.ts'
import { rowmill } from '../helpers/cli.ts'

test('acls prints one kafka-acls command for each operation, and asks no broker', async () => {
  const args = ['acls', '--role', 'collect', '--pipeline', 'p', '--principal', "User:o'neil", '-b', 'nowhere:9092']
  const { code, stdout, stderr } = await rowmill(args)
  const to = "kafka-acls.sh --bootstrap-server nowhere:9092 --add --allow-principal 'User:o'\\''neil' --operation"
  assert.deepEqual([code, stderr], [0, ''])
  assert.deepEqual(stdout.trimEnd().split('\n'), [
    `${to} Read --topic p.jobs --topic p.results`,
    `${to} Write --topic p.jobs --topic p.reports`,
    `${to} Describe --topic p.rows --topic p.bulk --topic p.rejects`,
    `${to} Describe --group p.workers --resource-pattern-type prefixed`,
    `${to} DescribeConfigs --topic p.jobs --topic p.rows --topic p.bulk --topic p.results --topic p.rejects`,
  ])
})

test('acls prints a JSON object for each right, also if a variable asks every command for JSON', async () => {
  const args = ['acls', '--role', 'collect', '--pipeline', 'p']
  const { code, stdout } = await rowmill(args, { env: { ROWMILL_OUTPUT: 'json' } })
  const rights = stdout
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
  assert.equal(code, 0)
  assert.deepEqual(rights[0], { operation: 'Read', resource: 'topic', name: 'p.jobs', patternType: 'LITERAL' })
  assert.equal(rights.find(({ resource }) => resource === 'group').patternType, 'PREFIXED')
})

test('acls needs no consent to a login without TLS, because it connects to nothing', async () => {
  const { stdout } = await rowmill(['acls', '--help'])
  assert.match(stdout, /--command-config/)
  assert.doesNotMatch(stdout, /--allow-sasl-without-tls/)
})

test('acls without a role, or with one that does not exist, is refused with those that do', async () => {
  const none = await rowmill(['acls'])
  assert.deepEqual(
    [none.code, none.stderr],
    [2, 'rowmill: which role? Give --role publish|work|collect|monitor|admin [USAGE]\n'],
  )
  const other = await rowmill(['acls', '--role', 'boss'])
  assert.match(other.stderr, /--role "boss": must be publish or work or collect or monitor or admin \[USAGE\]/)
})

test('a KafkaUser of Strimzi has each resource once, with all its operations', () => {
  const yaml = strimziUser('w', rightsOf('work', 'p'))
  assert.match(yaml, /^ {2}name: "w"$/m)
  const acls = [
    ...yaml.matchAll(/type: (\w+)\n +name: "(.*)"\n +patternType: (\w+)\n +operations: \[(.*)\]\n +host: "\*"\n/g),
  ]
  assert.deepEqual(
    acls.map(([, ...words]) => words.join(' ')),
    [
      'topic p.jobs literal Read, Write',
      'topic p.rows literal Read',
      'topic p.bulk literal Read',
      'topic p.results literal Read, Write',
      'topic p.rejects literal Write',
      'group p.workers prefix Read',
    ],
  )
})
