import assert from 'node:assert/strict'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { configKeys, readConfigFile } from '../../src/cli/config-file.ts'
import { readKafkaOptions } from '../../src/cli/kafka-options.ts'
import { givenConfig, readOptions } from '../../src/cli/read-options.ts'
import { RUN_OPTIONS } from '../../src/cli/run-options.ts'
import { clusterSettings } from '../../src/client-config/kafka-options.ts'
import { checkTls } from '../../src/kafka/tls.ts'
import { OPTIONS, type OptionName, ROLES } from '../../src/options.ts'
import { testFolder } from '../helpers/cli.ts'

/** A file of options with this text. */
function configFile(t: TestContext, text: string): string {
  const path = join(testFolder(t), 'rowmill.yaml')
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

/** The options of a command line of `rowmill run`, as its command gets them. */
async function read(config: string, given: Record<string, string[] | true> = {}, environment: NodeJS.ProcessEnv = {}) {
  const names: readonly OptionName[] = RUN_OPTIONS
  const all = { ...given, config: [config] }
  const { settings } = await givenConfig(names, all, environment)
  return readOptions(RUN_OPTIONS, all, { environment, settings })
}

/** The message with which a file of this text is refused, without its path. */
async function refusal(t: TestContext, text: string): Promise<string> {
  const path = configFile(t, text)
  const error = await readConfigFile(path).then(
    () => assert.fail(`accepted: ${text}`),
    error => error,
  )
  assert.equal(error.code, 'USAGE', error.stack)
  return error.message.replace(path, 'FILE')
}

test('each type of option is read from YAML', async t => {
  const path = configFile(
    t,
    `
brokers: [a:1, b:2]
workers: 3
header: true
no-progress: true
max-rejects: 5
compression: zstd
cast: [A=int64, B=str]
read-csv: { sep: ";", na_values: [x] }
columns: ["a,b", c]
schema-registry: https://h:1
kafka:
  client.id: orders
  request.timeout.ms: 1000
`,
  )
  const options = await read(path)
  assert.deepEqual(
    [options.brokers, options.workers, options.header, options.progress, options.maxRejects, options.compression],
    [['a:1', 'b:2'], 3, true, false, '5', 'zstd'],
  )
  assert.deepEqual(
    [options.cast, options.readCsv, options.schemaRegistry, options.property],
    [
      ['A=int64', 'B=str'],
      { sep: ';', na_values: ['x'] },
      'https://h:1',
      [
        { name: 'client.id', value: 'orders', where: `${path}, line 13` },
        { name: 'request.timeout.ms', value: '1000', where: `${path}, line 14` },
        { name: 'bootstrap.servers', value: 'a:1,b:2', where: '--brokers' },
      ],
    ],
  )
  assert.equal(options.batchRows, OPTIONS.batchRows.fallback)
})

test('an empty file, and switches that are false, change nothing', async t => {
  const defaults = await read(configFile(t, ''))
  for (const text of ['# nothing\n', 'no-progress: false\nheader: false\n']) {
    assert.deepEqual({ ...(await read(configFile(t, text))), config: null }, { ...defaults, config: null })
  }
})

test('the command line wins over the environment, the environment over the file, and the file over the default', async t => {
  const file = configFile(t, 'workers: 1\nbatch-rows: 2\nbatch-timeout: 3\ncast: [A=str]\nquiet: true\n')
  const options = await read(
    file,
    { workers: ['11'] },
    { ROWMILL_WORKERS: '21', ROWMILL_BATCH_ROWS: '22', ROWMILL_CAST: 'B=str', ROWMILL_QUIET: 'false' },
  )
  assert.deepEqual([options.workers, options.batchRows, options.batchTimeout], [11, 22, 3])
  assert.deepEqual([options.cast, options.quiet], [['B=str'], false])
  assert.deepEqual((await read(file, { cast: ['C=str'] })).cast, ['C=str'])
})

test('jobs rm --force is for the command line alone: neither ROWMILL_FORCE nor force in the file removes open jobs', async t => {
  const file = configFile(t, 'force: true\n')
  const names = ['config', 'force', 'forceRemoval'] as const
  const environment = { ROWMILL_FORCE: 'true' }
  const { settings } = await givenConfig(names, { config: [file] }, environment)
  const { force, forceRemoval } = readOptions(names, {}, { environment, settings })
  assert.deepEqual([force, forceRemoval], [true, false])
  assert.equal(readOptions(names, { force: true }, { environment: {}, settings }).forceRemoval, true)
})

test('ROWMILL_CONFIG names the file, and --config wins over it', async t => {
  const [one, two] = [configFile(t, 'workers: 1\n'), configFile(t, 'workers: 2\n')]
  const environment = { ROWMILL_CONFIG: one }
  assert.equal((await givenConfig(['config'], {}, environment)).settings.get('workers')![0]!.text, '1')
  assert.equal((await read(two, {}, environment)).workers, 2)
})

/** The value of a property for a command line of `rowmill run`, and the brokers. */
async function reach(config: string, given: Record<string, string[]>, environment: NodeJS.ProcessEnv) {
  const { config: found } = await readKafkaOptions(await read(config, given, environment), () => {})
  return { clientId: found.limits.clientId, brokers: found.brokers?.join() }
}

/** Each way to give a setting of the cluster, the weakest first. `file` writes a file of properties. */
const WAYS: Record<string, (text: string, file: (text: string) => string) => Partial<Given>> = {
  'command-config in the file': (text, file) => ({ yaml: `command-config: ${file(text)}\n` }),
  'kafka in the file': text => ({ yaml: `kafka: { ${text.replace('=', ': "')}" }\n` }),
  ROWMILL_COMMAND_CONFIG: (text, file) => ({ environment: { ROWMILL_COMMAND_CONFIG: file(text) } }),
  ROWMILL_PROPERTY: text => ({ environment: { ROWMILL_PROPERTY: text } }),
  '--command-config': (text, file) => ({ given: { commandConfig: [file(text)] } }),
  '-X': text => ({ given: { property: [text] } }),
}
interface Given {
  readonly yaml: string
  readonly environment: Record<string, string>
  readonly given: Record<string, string[]>
}
/** The same for brokers, which have an option of their own besides. */
const brokers = (value: string) => value.replace('bootstrap.servers=', '')
const BROKER_WAYS: typeof WAYS = {}
for (const [name, way] of Object.entries(WAYS)) {
  BROKER_WAYS[name] = way
  if (name === 'kafka in the file')
    BROKER_WAYS['brokers in the file'] = text => ({ yaml: `brokers: "${brokers(text)}"\n` })
  if (name === 'ROWMILL_PROPERTY')
    BROKER_WAYS['ROWMILL_BROKERS'] = text => ({ environment: { ROWMILL_BROKERS: brokers(text) } })
  if (name === '-X') BROKER_WAYS['--brokers'] = text => ({ given: { brokers: [brokers(text)] } })
}

for (const [what, ways, [weak, strong]] of [
  ['client.id', WAYS, ['client.id=weak', 'client.id=strong']],
  ['brokers', BROKER_WAYS, ['bootstrap.servers=weak:1', 'bootstrap.servers=strong:1']],
] as const)
  for (const [at, winner] of Object.keys(ways).entries())
    for (const loser of Object.keys(ways).slice(0, at))
      test(`${what}: ${winner} wins over ${loser}`, async t => {
        const file = (text: string) => {
          const path = join(testFolder(t), 'client.properties')
          writeFileSync(path, text)
          return path
        }
        const [less, more] = [ways[loser]!(weak, file), ways[winner]!(strong, file)]
        const environment = { ...less.environment, ...more.environment }
        const yaml = configFile(t, `${less.yaml ?? ''}${more.yaml ?? ''}`)
        const found = await reach(yaml, { ...less.given, ...more.given }, environment)
        assert.equal(what === 'brokers' ? found.brokers : found.clientId, what === 'brokers' ? 'strong:1' : 'strong')
      })

test('brokers of the file count if a --command-config from elsewhere has none, and its client properties do not', async t => {
  const file = configFile(t, 'brokers: a:1\nkafka:\n  client.id: a\n')
  const login = join(testFolder(t), 'client.properties')
  writeFileSync(login, 'retry.backoff.ms=7\n')
  assert.deepEqual(await reach(file, { commandConfig: [login] }, {}), { clientId: undefined, brokers: 'a:1' })
})

test('a bad value of a client property is refused with the place where it was given', async t => {
  const file = configFile(t, 'brokers: a:1\nkafka:\n  client.id: a\n  request.timeout.ms: soon\n')
  await assert.rejects(reach(file, {}, {}), {
    code: 'USAGE',
    message: `${file}, line 4: request.timeout.ms: it must be a whole number from 1 to 2147483647`,
  })
  const none = configFile(t, 'brokers: a:1\n')
  const bad = 'request.timeout.ms=soon'
  await assert.rejects(
    reach(none, {}, { ROWMILL_PROPERTY: bad }),
    /^\S+ ROWMILL_PROPERTY, line 1: request\.timeout\.ms: it must/,
  )
  await assert.rejects(reach(none, { property: [bad] }, {}), /^\S+ --property: request\.timeout\.ms: it must/)
})

test('a run that is resumed takes only secrets from the file', async t => {
  const file = configFile(
    t,
    'workers: 4\nbatch-rows: 7\nschema-registry: https://me:pw@h:1\nkafka:\n  client.id: a\n  sasl.password: pw\n',
  )
  const { settings } = await givenConfig(['config', 'resume'], { config: [file], resume: ['out.csv'] }, {})
  assert.deepEqual(
    [...settings].map(([flag, texts]) => [flag, texts.map(({ text }) => text)]),
    [
      ['schema-registry', ['https://me:pw@h:1']],
      ['property', ['sasl.password=pw']],
    ],
  )
})

const REFUSED: [text: string, message: RegExp][] = [
  ['brokers: a:1\nwrokers: 4', /^FILE, line 2: there is no option wrokers: did you mean workers\?$/],
  ['batchRows: 4', /line 1: there is no option batchRows: did you mean batch-rows\?$/],
  ['bootstrap-server: a:1', /did you mean brokers\?$/],
  ['property: [a.b=c]', /did you mean kafka\?$/],
  ['config: x.yaml', /there is no option config: /],
  ['zzzzzzzzzz: 1', /there is no option zzzzzzzzzz: docs\/cli\.md lists them$/],
  ['workers: "4"', /^FILE, line 1: workers must be a whole number$/],
  ['workers: 1.5', /workers must be a whole number$/],
  ['workers: 513', /^FILE, line 1: workers "513": must be a whole number from 1 to 512$/],
  ['\n\nquiet: "yes"', /^FILE, line 3: quiet must be true or false$/],
  ['job: 2026', /^FILE, line 1: job must be text: put it in quotes$/],
  ['cast: [1]', /cast must be a list of texts or text$/],
  ['read-csv: sep', /read-csv must be a mapping$/],
  ['compression: brotli', /compression "brotli": must be none or gzip/],
  ['python:', /^FILE, line 1: python has no value$/],
  ['workers: 1\n---\nbatch-rows: 2', /^FILE, line [23]: a second YAML document begins here.*Remove the line ---/],
  ['workers: 1\nworkers: 2', /^FILE, line 2: this key is there twice$/],
  ['workers: [1\nquiet: true', /^FILE, line 2: this is not valid YAML: [A-Z][a-z ]+ sufficiently indented.*quotes\?$/],
  ['quiet: true\njob: "a\nworkers: 1\n', /^FILE, line 2: this is not valid YAML: Missing closing "quote\./],
  ['quiet: true\n\tworkers: 1', /^FILE, line 2: this is not valid YAML: Tabs are not allowed as indentation\./],
  ['- workers', /^FILE, line 1: the file must be a mapping of options/],
  ['1: 2', /^FILE, line 1: a key must be text$/],
  ['read-csv: *none', /line 1: /],
  ['kafka: x', /^FILE, line 1: kafka must be a mapping of client properties$/],
  [
    'kafka:\n  sasl.mechansim: PLAIN',
    /^FILE, line 2: no Kafka client has a property sasl\.mechansim\. Did you mean sasl\.mechanism\?$/,
  ],
  ['kafka:\n  ssl: { ca.location: x }', /^FILE, line 2: ssl must be text, a number, or true or false$/],
]

for (const [text, message] of REFUSED) {
  test(`a file with ${JSON.stringify(text)} is refused with its line`, async t => {
    assert.match(await refusal(t, text), message)
  })
}

test('no message shows a secret of the file', async t => {
  for (const text of [
    'schema-registry: "ftp://me:canary@h"',
    'schema-registry: https://me:canary@h?x',
    'kafka: { sasl.password: canary',
    'kafka:\n  sasl.password: canary\n bad: canary',
    'kafka:\n  sasl.password: [canary]',
    'kafka: "sasl.password=canary"',
    'sasl.password: canary',
    'kafka:\n  sasl.password: !canary',
    'kafka:\n  sasl.password: |canary',
    'kafka:\n  sasl.password: *canary',
    'kafka:\n  sasl.password: @canary',
    'kafka:\n  sasl.password: "\\canary"',
    'kafka:\n  sasl.password:\ncanary\n',
    'kafka:\n  ssl.key.pem: -----BEGIN X-----\ncanary\n-----END',
    'kafka:\n  canary: x',
  ])
    assert.doesNotMatch(await refusal(t, text), /canary/, text)
})

test('a value of a client property is taken as the file has it', async t => {
  for (const source of ['0012', '1e3', '0x1F', '12345678901234567890', '1.50', 'true', 'True', '"0012"', '&a 0012']) {
    const file = configFile(t, `kafka:\n  sasl.password: ${source}\n`)
    const { text } = (await readConfigFile(file)).settings.get('property')![0]!
    assert.equal(text, `sasl.password=${source.replace(/^&a |"/g, '').replace('"', '')}`)
  }
  const alias = configFile(t, 'job: &a "0012"\nkafka:\n  client.id: *a\n')
  assert.equal((await readConfigFile(alias)).settings.get('property')![0]!.text, 'client.id=0012')
})

test('a properties file that others can read is warned of if it holds a secret', async t => {
  const file = join(testFolder(t), 'client.properties')
  const said = async (text: string, mode: number) => {
    writeFileSync(file, `bootstrap.servers=a:1\n${text}\n`)
    chmodSync(file, mode)
    const messages: string[] = []
    const options = readOptions(RUN_OPTIONS, { commandConfig: [file] }, { environment: {}, settings: new Map() })
    await readKafkaOptions(options, message => messages.push(message))
    return messages
  }
  const login = 'sasl.password=pw\nsecurity.protocol=PLAINTEXT'
  assert.deepEqual(await said(login, 0o644), [
    `${file} holds a password, and other users of this machine can read it. Run chmod 600 ${file}`,
  ])
  assert.deepEqual(await said(login, 0o600), [])
  assert.deepEqual(await said('client.id=a', 0o644), [])
  assert.deepEqual(await said('client.id=a\nclient.id=b', 0o644), [
    `${file}, line 3: client.id is there twice. This line wins over line 2`,
  ])
})

test('a file of TLS that cannot be used is refused with the place where it was given', async t => {
  const file = join(testFolder(t), 'client.properties')
  writeFileSync(file, 'bootstrap.servers=a:1\nsecurity.protocol=SSL\nssl.ca.location=/nope.pem\n')
  const options = readOptions(RUN_OPTIONS, { commandConfig: [file] }, { environment: {}, settings: new Map() })
  const { kafka } = await readKafkaOptions(options, () => {})
  const message = new RegExp(`^${file}, line 3: ssl\\.ca\\.location: /nope\\.pem cannot be read`)
  assert.throws(() => checkTls(clusterSettings(kafka!).security!.tls!), { code: 'USAGE', message })
})

test('a properties file without bootstrap.servers is named', async t => {
  const file = join(testFolder(t), 'client.properties')
  for (const text of ['', 'client.id=a', 'bootstrap.servers=']) {
    writeFileSync(file, text)
    const messages: string[] = []
    const options = readOptions(RUN_OPTIONS, { commandConfig: [file] }, { environment: {}, settings: new Map() })
    await readKafkaOptions(options, message => messages.push(message))
    assert.deepEqual(messages, [`${file} has no bootstrap.servers, so its properties have no effect`])
  }
})

test('a file that others can read is warned of if it holds a password', async t => {
  const path = configFile(t, 'kafka: { sasl.password: pw }\n')
  assert.deepEqual((await readConfigFile(path)).warnings, [])
  chmodSync(path, 0o644)
  const [warning, ...others] = (await readConfigFile(path)).warnings
  assert.match(warning!, /holds a password, and other users of this machine can read it\. Run chmod 600 /)
  assert.deepEqual(others, [])
  writeFileSync(path, 'workers: 4\n')
  assert.deepEqual((await readConfigFile(path)).warnings, [])
})

test('a file that is not there is refused', async () => {
  await assert.rejects(readConfigFile('/nowhere/rowmill.yaml'), { code: 'USAGE', message: /cannot be read: ENOENT/ })
})

test('the example of docs/configuration.md is accepted, and its first line names the schema of the package', async t => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/configuration.md'), 'utf8')
  const [, example] = /```yaml\n(.*?)```/s.exec(page)!
  assert.equal((await read(configFile(t, example!))).workers, 8)
  const [, schema] = /\$schema=\.\/node_modules\/rowmill\/(\S+)/.exec(example!)!
  const { properties } = JSON.parse(readFileSync(join(import.meta.dirname, '../..', schema!), 'utf8'))
  assert.deepEqual(Object.keys(properties), [...configKeys().keys(), 'kafka'])
})

test('the schema takes a file without a key, as rowmill does, and lists the values of each option that has few', () => {
  const schema = JSON.parse(readFileSync(join(import.meta.dirname, '../../schema/rowmill.schema.json'), 'utf8'))
  assert.deepEqual(schema.type, ['object', 'null'])
  for (const [key, { value }] of configKeys())
    if (/^[a-z0-9]+(\|[a-z0-9]+)+$/.test(value ?? ''))
      assert.deepEqual(schema.properties[key].enum, value!.split('|'), key)
  assert.deepEqual(schema.properties.role.enum, [...ROLES])
})
