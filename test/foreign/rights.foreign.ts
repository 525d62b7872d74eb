/** Users with exactly the rights that a command needs, on a separate broker with an authorizer, and what they are told without. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { clusterSettings } from '../../src/client-config/kafka-options.ts'
import { openJob } from '../../src/index.ts'
import { Kafka, type Right } from '../../src/kafka/index.ts'
import { ROLES, type Role } from '../../src/options.ts'
import { rightsOf } from '../../src/pipeline/roles.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import { rowmill, testFolder } from '../helpers/cli.ts'
import { GuardedBroker } from '../helpers/guarded-broker.ts'

const closes: (() => Promise<void> | void)[] = []
let guarded: GuardedBroker
before(async () => {
  guarded = await GuardedBroker.start(close => closes.unshift(close))
})
after(async () => {
  for (const close of closes) await close()
})

test('without the right to create topics, the printed commands create them', async () => {
  const properties = await guarded.user('creator')
  const kafka = new Kafka({ ...clusterSettings({ properties }), clientId: 'test' })
  const admin = await kafka.admin()
  closes.unshift(() => admin.close())
  const ensure = () =>
    ensureTopics(admin, 'made', 3).then(
      partitions => ({ partitions, message: '' }),
      (error: Error & { code: string }) => {
        assert.equal(error.code, 'NOT_AUTHORIZED')
        return { partitions: null, message: error.message }
      },
    )
  const hidden = await ensure()
  assert.match(
    hidden.message,
    /^User:creator has no right to Describe topic made\.\w+\. .*--operation Describe --topic made/,
  )
  for (const topic of Object.values(topicsOf('made')))
    await guarded.change('add', 'creator', { operation: 'Describe', resource: 'topic', name: topic })
  const refused = await ensure()
  assert.match(
    refused.message,
    /^User:creator has no right to Create topics made\.\*\. .* --operation Create --topic made\. /,
  )
  const [, ...commands] = refused.message.split('\n')
  assert.equal(commands.length, 5)
  for (const command of commands) await guarded.run(command)
  assert.deepEqual(await ensure(), { partitions: 3, message: '' })
})

const BAD = `${join(import.meta.dirname, '../fixtures/bad-rows.ts')}:throws`
const REPAIRED = join(import.meta.dirname, '../fixtures/classifiers.ts')
/** The last row of each file is rejected. The rows of the second travel in `bulk`. */
const SIZES = { small: 10, large: 1100 } as const

class Users {
  readonly #properties = new Map<Role, Record<string, string>>()
  readonly folder: string

  private constructor(folder: string) {
    this.folder = folder
    for (const [name, rows] of Object.entries(SIZES)) {
      const lines = Array.from({ length: rows }, (_, row) => `${row},${row === rows - 1 ? 'bad' : 'a'}\n`)
      writeFileSync(join(folder, `${name}.csv`), `ID,A\n${lines.join('')}`)
    }
  }

  /** A user for each role, with exactly the rights that `rowmill acls` prints. */
  static async create(t: TestContext): Promise<Users> {
    const users = new Users(testFolder(t))
    for (const role of ROLES) {
      users.#properties.set(role, await guarded.user(role))
      const acls = ['acls', '--role', role, '--pipeline', 'p', '--principal', `User:${role}`, '-b', guarded.address]
      const { stdout } = await rowmill(acls)
      for (const command of stdout.trimEnd().split('\n')) await guarded.run(command)
    }
    return users
  }

  properties(role: Role): Record<string, string> {
    return this.#properties.get(role)!
  }

  as(role: Role, ...args: readonly string[]) {
    const properties = Object.entries(this.properties(role))
      .map(pair => pair.join('='))
      .join('\n')
    const env = { ROWMILL_PROPERTY: properties, ROWMILL_PIPELINE: 'p', ROWMILL_TIMEOUT: '60' }
    return rowmill(args, { env, cwd: this.folder })
  }

  async done(code: number, role: Role, ...args: readonly string[]): Promise<string> {
    const ended = await this.as(role, ...args)
    assert.equal(ended.code, code, `${role}: ${args.join(' ')}: ${ended.stderr}`)
    return ended.stdout
  }

  /** Whatever else it does, the command says once which right is missing, and which ACL grants it. */
  async without(role: Role, [operation, name]: readonly [Right['operation'], string], ...args: readonly string[]) {
    const right = rightsOf(role, 'p').find(right => right.operation === operation && right.name === name)!
    await guarded.change('remove', role, right)
    const { code, stderr } = await this.as(role, ...args)
    await guarded.change('add', role, right)
    const on = `${right.resource} ${name}`
    const told = `${role} without ${operation} ${on}: ${args.join(' ')}: ${stderr}`
    assert.ok(stderr.includes(`User:${role} has no right to ${operation} ${on}`), told)
    assert.ok(stderr.includes(`--allow-principal User:${role} --operation ${operation} --${on}`), told)
    assert.equal(stderr.split('no right to').length, 2, told)
    if (!stderr.includes('[REJECTS_OVER_BUDGET]'))
      assert.deepEqual([code, /\[NOT_AUTHORIZED\]/.test(stderr)], [3, true], told)
  }
}

const publish = (size: keyof typeof SIZES, job: string, maxRejects = 1) =>
  ['publish', `${size}.csv`, '--job', job, '--max-rejects', String(maxRejects)] as const
const work = (job: string, classifier = BAD) =>
  ['work', '--classifier', classifier, '--workers', '1', '--until-done', job] as const
const collect = (job: string) => ['collect', `${job}.out`, '--job', job, '--force'] as const
const replay = (job: string) => ['rejects', 'replay', '--job', job] as const

test('users have the rights of their roles: a file job, an event job, rejects and a replay; one right less is said', async t => {
  const kafka = new Kafka({ brokers: [guarded.address], clientId: 'test' })
  const admin = await kafka.admin()
  await ensureTopics(admin, 'p', 2).finally(() => admin.close())
  const users = await Users.create(t)
  for (const size of ['small', 'large'] as const) {
    await users.done(0, 'publish', ...publish(size, size))
    await users.done(0, 'work', ...work(size))
    await users.done(4, 'collect', ...collect(size))
    assert.match(await users.done(0, 'monitor', 'rejects', 'list', '--job', size), /no bad rows here/)
  }
  await users.done(0, 'monitor', 'jobs', 'list')
  await users.done(0, 'monitor', 'rejects', 'list')
  const kafkaOptions = { properties: users.properties('publish') }
  const events = await openJob({ id: 'events', columns: ['ID', 'A'], pipeline: 'p', kafka: kafkaOptions })
  await events.send(['1', 'a'])
  await events.end()
  await events.close()
  await users.done(0, 'work', ...work('events'))
  assert.match(await users.done(0, 'monitor', 'tail', '--job', 'events'), /1,a/)

  for (const name of ['p.jobs', 'p.rows'])
    await users.without('publish', ['Write', name], ...publish('small', `without-${name}`))
  await users.without('publish', ['Write', 'p.bulk'], ...publish('large', 'without-p.bulk'))
  await users.without('publish', ['Read', 'p.jobs'], ...publish('small', 'new'))
  await users.without('publish', ['Describe', 'p.rejects'], ...publish('small', 'new'))
  for (const name of ['p.results', 'p.rows']) await users.without('publish', ['Read', name], ...replay('small'))
  await users.without('publish', ['Read', 'p.bulk'], ...replay('large'))

  await users.done(0, 'publish', ...publish('small', 'open'))
  await users.done(0, 'publish', ...publish('small', 'over', 0))
  for (const name of ['p.jobs', 'p.rows', 'p.bulk', 'p.results', 'p.workers'])
    await users.without('work', ['Read', name], ...work('open'))
  for (const name of ['p.rejects', 'p.results']) await users.without('work', ['Write', name], ...work('open'))

  for (const name of ['p.jobs', 'p.results']) await users.without('collect', ['Read', name], ...collect('small'))
  for (const name of ['p.rows', 'p.bulk', 'p.rejects'])
    await users.without('collect', ['Describe', name], ...collect('small'))
  await users.without('collect', ['Describe', 'p.workers'], ...collect('open'))

  for (const name of ['p.jobs', 'p.rows', 'p.results']) await users.without('monitor', ['Read', name], 'jobs', 'list')
  await users.without('monitor', ['Read', 'p.bulk'], 'tail', '--job', 'small')
  await users.without('monitor', ['Read', 'p.rejects'], 'rejects', 'list')
  await users.without('monitor', ['Describe', 'p.workers'], 'tail', '--job', 'open')

  await users.done(0, 'work', ...work('over'))
  await users.without('collect', ['Write', 'p.jobs'], ...collect('over'))
  await users.done(0, 'publish', ...replay('small'))
  await users.done(0, 'work', ...work('small', REPAIRED))
})
