/** Users with exactly the rights that a command needs, on a separate broker with an authorizer, and what they are told without. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { clusterSettings } from '../../src/client-config/kafka-options.ts'
import { openJob } from '../../src/index.ts'
import { Kafka, type Right } from '../../src/kafka/index.ts'
import { PartitionSender } from '../../src/kafka/partition-sender.ts'
import type { Job } from '../../src/model.ts'
import { ROLES, type Role } from '../../src/options.ts'
import { appendJob } from '../../src/pipeline/append-job.ts'
import { rightsOf } from '../../src/pipeline/roles.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { ensureTopics } from '../../src/pipeline/topics.ts'
import { encodeEndOfInput } from '../../src/wire/codec.ts'
import { rowmill, testFolder } from '../helpers/cli.ts'
import { GuardedBroker } from '../helpers/guarded-broker.ts'
import { jobRecord } from '../helpers/pipeline.ts'

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
const REPAIRED = `${join(import.meta.dirname, '../fixtures/bad-rows.ts')}:marks`
/** The last row of each file is rejected. The rows of the second travel in `bulk`. */
const SIZES = { small: 10, large: 1100 } as const
type Size = keyof typeof SIZES

const rowsOf = (size: Size) =>
  Array.from({ length: SIZES[size] }, (_, row) => `${row},${row === SIZES[size] - 1 ? 'bad' : 'a'}`)

/** What `collect` writes: each of these rows, marked. */
const marked = (rows: readonly string[]) => rows.map(row => `${row},ok\n`).join('')

class Users {
  readonly #properties = new Map<Role, Record<string, string>>()
  /** The rights that were taken away once, as `role operation resource name`. */
  readonly tested = new Set<string>()
  readonly folder: string

  private constructor(folder: string) {
    this.folder = folder
    for (const size of ['small', 'large'] as const)
      writeFileSync(join(folder, `${size}.csv`), `ID,A\n${rowsOf(size).join('\n')}\n`)
  }

  /** A user for each role, with exactly the rights that `rowmill acls` prints. */
  static async create(t: TestContext): Promise<Users> {
    const users = new Users(testFolder(t))
    const create = async (role: Role) => {
      users.#properties.set(role, await guarded.user(role))
      const acls = ['acls', '--role', role, '--pipeline', 'p', '--principal', `User:${role}`, '-b', guarded.address]
      const { stdout } = await rowmill(acls)
      for (const command of stdout.trimEnd().split('\n')) await guarded.run(command)
    }
    await Promise.all(ROLES.map(create))
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

  /** The command says once which right is missing, and which ACL grants it, and then it ends. */
  async without(role: Role, [operation, name]: readonly [Right['operation'], string], ...args: readonly string[]) {
    const right = rightsOf(role, 'p').find(right => right.operation === operation && right.name === name)!
    await guarded.change('remove', role, right)
    const { code, stderr } = await this.as(role, ...args)
    await guarded.change('add', role, right)
    this.tested.add(nameOf(role, right))
    const on = `${right.resource} ${name}`
    const told = `${role} without ${operation} ${on}: ${args.join(' ')}: ${stderr}`
    assert.ok(stderr.includes(`User:${role} has no right to ${operation} ${on}`), told)
    assert.ok(stderr.includes(`--allow-principal User:${role} --operation ${operation} --${on}`), told)
    assert.equal(stderr.split('no right to').length, 2, told)
    if (!stderr.includes('[REJECTS_OVER_BUDGET]'))
      assert.deepEqual([code, /\[NOT_AUTHORIZED\]/.test(stderr)], [3, true], told)
  }
}

const nameOf = (role: Role, { operation, resource, name }: Right) => `${role} ${operation} ${resource} ${name}`

const publish = (size: Size, job: string, maxRejects = 1) =>
  ['publish', `${size}.csv`, '--job', job, '--max-rejects', String(maxRejects)] as const
const work = (job: string, classifier = BAD) =>
  ['work', '--classifier', classifier, '--workers', '1', '--until-done', job] as const
const collect = (job: string) => ['collect', `${job}.out`, '--job', job, '--force'] as const
const replay = (job: string) => ['rejects', 'replay', '--job', job] as const
const remove = (job: string) => ['jobs', 'rm', job] as const

/** A file job, an event job and their rejects, each by the user of its role. */
async function serveJobs(users: Users) {
  await users.done(0, 'publish', ...publish('small', 'gone'))
  for (const size of ['small', 'large'] as const) {
    await users.done(0, 'publish', ...publish(size, size))
    await users.done(0, 'work', ...work(size))
    await users.done(4, 'collect', ...collect(size))
    assert.equal(readFileSync(join(users.folder, `${size}.out`), 'utf8'), marked(rowsOf(size).slice(0, -1)))
    assert.match(await users.done(0, 'monitor', 'rejects', 'list', '--job', size), /no bad rows here/)
    assert.match(await users.done(0, 'monitor', 'rejects', 'export', '--job', size), /,bad$/m)
    await users.done(0, 'monitor', 'verify', `${size}.out`, '--job', size)
  }
  await users.done(0, 'publish', 'jobs', 'open', '--job', 'opened', '--columns', 'ID,A')
  await users.done(0, 'publish', 'jobs', 'cancel', '--job', 'opened')
  await users.done(0, 'work', ...work('gone'))
  await users.done(0, 'monitor', 'jobs', 'list')
  await users.done(0, 'monitor', 'rejects', 'list')
  const kafkaOptions = { properties: users.properties('publish') }
  const events = await openJob({ id: 'events', columns: ['ID', 'A'], pipeline: 'p', kafka: kafkaOptions })
  await events.send(['1', 'a'])
  await events.end()
  await events.close()
  await users.done(0, 'work', ...work('events'))
  assert.match(await users.done(0, 'monitor', 'tail', '--job', 'events'), /1,a/)
}

const JOB = { topic: topicsOf('p').rows, partitions: 2, rowsFrom: [0, 0], resultsFrom: [0, 0] }

/** Readers of this job wait for ever. After a while they ask the group of the workers whether the rows are lost. */
const WITHOUT_ROWS = jobRecord({ ...JOB, id: 'without-rows', state: 'ended' })
/** The worker that reads this job records that it failed. */
const CONTRADICTION = jobRecord({ ...JOB, id: 'contradiction' })

async function forge(kafka: Kafka, job: Job, ends: readonly number[] = []) {
  const sender = new PartitionSender(await kafka.producer(), () => {})
  await appendJob(sender, 'p', job)
  for (const rows of ends) {
    const end = { job: job.id, epoch: 0, from: 0, attempt: 0, partition: 0, rows, total: rows }
    await sender.send({ topic: job.topic, partition: 0 }, { key: job.id, value: encodeEndOfInput(end) })
  }
  await sender.close()
}

async function withoutRightsOfPublish(users: Users) {
  for (const name of ['p.jobs', 'p.rows'])
    await users.without('publish', ['Write', name], ...publish('small', `without-${name}`))
  await users.without('publish', ['Write', 'p.bulk'], ...publish('large', 'without-p.bulk'))
  await users.without('publish', ['Read', 'p.jobs'], ...publish('small', 'new'))
  await users.without('publish', ['Describe', 'p.rejects'], ...publish('small', 'new'))
  for (const name of ['p.results', 'p.rows']) await users.without('publish', ['Read', name], ...replay('small'))
  await users.without('publish', ['Read', 'p.bulk'], ...replay('large'))
}

async function withoutRightsOfWork(users: Users) {
  for (const name of ['p.jobs', 'p.rows', 'p.bulk', 'p.results', 'p.workers'])
    await users.without('work', ['Read', name], ...work('open'))
  for (const name of ['p.rejects', 'p.results']) await users.without('work', ['Write', name], ...work('open'))
}

async function withoutRightsOfCollect(users: Users) {
  for (const name of ['p.jobs', 'p.results']) await users.without('collect', ['Read', name], ...collect('small'))
  for (const name of ['p.rows', 'p.bulk', 'p.rejects'])
    await users.without('collect', ['Describe', name], ...collect('small'))
  await users.without('collect', ['Describe', 'p.workers'], ...collect(WITHOUT_ROWS.id))
}

async function withoutRightsOfMonitor(users: Users) {
  for (const name of ['p.jobs', 'p.rows', 'p.results']) await users.without('monitor', ['Read', name], 'jobs', 'list')
  await users.without('monitor', ['Read', 'p.bulk'], 'tail', '--job', 'small')
  await users.without('monitor', ['Read', 'p.rejects'], 'rejects', 'list')
  await users.without('monitor', ['Describe', 'p.workers'], 'tail', '--job', WITHOUT_ROWS.id)
}

/** Without any of its rights, `jobs rm` removes nothing. */
async function withoutRightsOfAdmin(users: Users) {
  for (const name of ['p.jobs', 'p.results']) await users.without('admin', ['Read', name], ...remove('gone'))
  await users.without('admin', ['Describe', 'p.rows'], ...remove('gone'))
  await users.without('admin', ['Describe', 'p.bulk'], ...remove('large'))
  await users.without('admin', ['Write', 'p.jobs'], ...remove('gone'))
  await users.without('admin', ['Delete', 'p.jobs'], ...remove('gone'))
  await users.without('admin', ['Describe', 'p.workers'], ...remove('gone'))
  const { code, stderr } = await users.as('admin', ...remove('gone'))
  assert.equal(code, 0, stderr)
  assert.match(stderr, /^rowmill: 1 job removed\n.* records deleted from p\.jobs\n/m)
}

test('users have the rights of their roles: a file job, an event job, rejects and a replay; one right less is said', async t => {
  const kafka = new Kafka({ brokers: [guarded.address], clientId: 'test' })
  const admin = await kafka.admin()
  await ensureTopics(admin, 'p', 2).finally(() => admin.close())
  const users = await Users.create(t)
  await serveJobs(users)
  await users.done(0, 'publish', ...publish('small', 'open'))
  await users.done(0, 'publish', ...publish('small', 'over', 0))
  await forge(kafka, WITHOUT_ROWS)

  // Two of these commands wait for 20 s, so the users work side by side.
  const sections = [withoutRightsOfPublish, withoutRightsOfWork, withoutRightsOfCollect, withoutRightsOfMonitor]
  await Promise.all(sections.map(section => section(users)))
  await withoutRightsOfAdmin(users)

  await forge(kafka, CONTRADICTION, [1, 2])
  await users.without('work', ['Write', 'p.jobs'], ...work(CONTRADICTION.id))
  await users.done(0, 'work', ...work('over'))
  await users.without('collect', ['Write', 'p.jobs'], ...collect('over'))
  const all = ROLES.flatMap(role => rightsOf(role, 'p').map(right => nameOf(role, right)))
  assert.deepEqual([...users.tested].sort(), all.sort())

  await users.done(0, 'publish', ...replay('small'))
  await users.done(0, 'work', ...work('small', REPAIRED))
  await users.done(0, 'collect', ...collect('small'))
  assert.equal(readFileSync(join(users.folder, 'small.out'), 'utf8'), marked(rowsOf('small')))
})
