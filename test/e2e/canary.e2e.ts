/** A password is in nothing that rowmill prints, writes or starts. It goes only to the schema registry. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, type TestContext, test } from 'node:test'
import { inspect } from 'node:util'
import { openJob } from '../../src/index.ts'
import { brokerAddress, testPipeline } from '../helpers/broker.ts'
import { type Finished, rowmill, startRowmill, testFolder } from '../helpers/cli.ts'
import { descendants } from '../helpers/processes.ts'
import { lockedRegistry, startRegistry, type TestRegistry } from '../helpers/registry.ts'

const CLASSIFIERS = join(import.meta.dirname, '../fixtures/classifiers.py')
const CANARY = `canary${randomBytes(8).toString('hex')}`
/** With characters that a URL escapes, and some that a second decoding would change. */
const PASSWORD = `p@ss/${CANARY}:%41`
const USERINFO = `me:${PASSWORD}`
const BASE64 = Buffer.from(USERINFO).toString('base64')

let registry: TestRegistry
before(async () => {
  registry = await startRegistry()
})
after(() => registry?.close())

class Cage {
  readonly folder: string
  readonly input: string
  readonly url: string
  readonly pipeline: string
  readonly brokers: string

  constructor(folder: string, url: string, at: { pipeline: string; brokers: string }) {
    this.folder = folder
    this.url = url
    this.pipeline = at.pipeline
    this.brokers = at.brokers
    this.input = this.file('in.csv')
    writeFileSync(this.input, `ID,A\n${Array.from({ length: 800 }, (_, i) => `${i},x\n`).join('')}`)
  }

  static async open(t: TestContext): Promise<Cage> {
    const [url, { pipeline }] = await Promise.all([lockedRegistry(t, registry, USERINFO), testPipeline(t)])
    return new Cage(testFolder(t), url, { pipeline, brokers: await brokerAddress() })
  }

  file(name: string): string {
    return join(this.folder, name)
  }

  /** The URL of the registry with user and password. */
  get secret(): string {
    return this.url.replace('//', `//me:${encodeURIComponent(PASSWORD)}@`)
  }

  get env(): Record<string, string> {
    return { ROWMILL_BROKERS: this.brokers, ROWMILL_SCHEMA_REGISTRY: this.secret }
  }

  /** Fails if the canary is in an output or in a file of the folder; returns what the command printed. */
  check({ code, stdout, stderr }: Finished, expected: number): string {
    assert.equal(code, expected, stderr)
    this.#search('its output', `${stdout}${stderr}`)
    for (const name of readdirSync(this.folder, { recursive: true, encoding: 'utf8' }))
      if (statSync(this.file(name)).isFile()) this.#search(name, readFileSync(this.file(name), 'latin1'))
    return stdout + stderr
  }

  /** The same for the command line and the environment of every process below `pid`. */
  checkProcesses(pid: number): void {
    this.#search('its command line', readFileSync(`/proc/${pid}/cmdline`, 'latin1'))
    const below = descendants(pid)
    assert.ok(below.some(({ name }) => name.startsWith('python')))
    for (const { pid, name } of below)
      for (const file of ['cmdline', 'environ'])
        this.#search(`${file} of ${name}`, readFileSync(`/proc/${pid}/${file}`, 'latin1'))
  }

  #search(where: string, text: string): void {
    const held = [CANARY, BASE64].filter(secret => text.includes(secret))
    assert.deepEqual(held, [], `the password is in ${where}`)
  }
}

test('every command logs in with the URL in the environment, and never shows the password', async t => {
  const cage = await Cage.open(t)
  const act = (...args: string[]) => rowmill([...args, '--pipeline', cage.pipeline], { env: cage.env })
  const published = await act('publish', cage.input, '--partitions', '2')
  cage.check(published, 0)
  const job = ['--job', published.stdout.trim()]
  const classify = ['--classifier', `${CLASSIFIERS}:a_float`, '--workers', '1']
  cage.check(await act('work', ...classify, '--until-done', job[1]!), 0)
  cage.check(await act('collect', cage.file('out.csv'), ...job), 0)
  cage.check(await act('tail', ...job), 0)
  cage.check(await act('verify', cage.file('out.csv'), ...job), 0)
  cage.check(await act('rejects', 'list', ...job), 0)
  cage.check(await act('jobs', 'open', '--job', 'events', '--columns', 'A'), 0)
  cage.check(await act('jobs', 'list'), 0)
  cage.check(await act('jobs', 'cancel', '--job', 'events'), 0)
  const report = ['--report', cage.file('report.json')]
  cage.check(await act('run', cage.input, cage.file('run.csv'), ...classify, ...report), 0)
})

test('a failing command never shows it: wrong password or URL, no registry, broker or classifier', async t => {
  const cage = await Cage.open(t)
  const run = ['run', cage.input, cage.file('out.csv'), '--classifier', `${CLASSIFIERS}:a_float`, '--workers', '1']
  const withUrl = (url: string) => rowmill(run, { env: { ...cage.env, ROWMILL_SCHEMA_REGISTRY: url } })
  const wrong = cage.check(await withUrl(cage.secret.replace(CANARY, `other${CANARY}`)), 3)
  assert.match(wrong, /who are you\?.*ROWMILL_SCHEMA_REGISTRY=https:\/\/USER:PASSWORD@HOST/)
  cage.check(await withUrl(cage.secret.replace(/@127.*/, '@127.0.0.1:1')), 3)
  for (const host of ['h:port', 'h']) {
    const noUrl = cage.check(await withUrl(`http://me:${PASSWORD}@${host}`), 2)
    assert.match(noUrl, /ROWMILL_SCHEMA_REGISTRY "http:\/\/\*\*\*@h.*": must be .* percent-encoded/)
  }
  cage.check(await rowmill([...run, '--brokers', '127.0.0.1:1'], { env: cage.env }), 3)
  const nobody = run.map(word => word.replace('a_float', 'nobody'))
  cage.check(await rowmill(nobody, { env: cage.env }), 2)
})

test('an error of the SDK does not contain it, not even in its cause', async t => {
  const { brokers, pipeline, secret } = await Cage.open(t)
  const asked = [
    secret.replace(CANARY, `other${CANARY}`),
    `http://me:${PASSWORD}@h`,
    secret.replace(/@127.*/, '@127.0.0.1:1'),
  ]
  for (const schemaRegistry of asked) {
    const failing = openJob({ brokers: [brokers], pipeline, schemaRegistry, id: 'events', columns: ['A'] })
    const error = await failing.then(
      () => assert.fail('it opened'),
      (thrown: unknown) => thrown,
    )
    const shown = inspect(error, { depth: null, showHidden: true, getters: true })
    assert.match(shown, /REGISTRY_UNREACHABLE|USAGE/)
    for (const form of [
      CANARY,
      Buffer.from(`me:${PASSWORD.replace(CANARY, `other${CANARY}`)}`).toString('base64'),
      BASE64,
    ])
      assert.ok(!shown.includes(form), shown)
  }
})

test('a password on the command line is refused before anything starts, with the two ways to give it', async t => {
  const cage = await Cage.open(t)
  for (const command of [
    ['run', cage.input, cage.file('out.csv')],
    ['publish', cage.input],
    ['jobs', 'list'],
  ]) {
    const said = cage.check(await rowmill([...command, '--schema-registry', cage.secret]), 2)
    const ways = /http:\/\/\*\*\*@127.*ROWMILL_SCHEMA_REGISTRY.*--schema-registry-userinfo-file FILE \[USAGE\]/
    assert.match(said, ways)
  }
})

test('a typing error never shows it: in an option, an argument, a query or a broker address', async t => {
  const cage = await Cage.open(t)
  const run = ['run', cage.input, cage.file('out.csv'), '--classifier', `${CLASSIFIERS}:a_float`, '--workers', '1']
  const publish = ['publish', cage.input]
  const url = `http://me:${CANARY} x"'@127.0.0.1:1`
  const query = `http://127.0.0.1:1/?token=${CANARY}`
  const file = '--schema-registry-userinfo-file'
  const plain = ['--schema-registry', cage.url]
  const slips: [args: string[], said: RegExp, env?: Record<string, string>][] = [
    [[...run, `--schema-registy=${url}`], /no option --schema-registy\. Did you mean --schema-registry/],
    [[...run, '--schema-registy', url], /no option --schema-registy\. Did you mean --schema-registry/],
    [[...run, url], /too many arguments/],
    [[url], /there is no command http:\/\/\*\*\*@127/],
    [['publish', url], /http:\/\/\*\*\*@127\.0\.0\.1:1 is a URL/],
    [['completion', url], /http:\/\/\*\*\*@127.*is no SHELL/],
    [[...run, '--read-csv', url], /--read-csv "http:\/\/\*\*\*@127\.0\.0\.1:1": Unexpected token/],
    [[...run, '--read-csv', `{"a":"http://me:${CANARY}@h"`], /--read-csv/],
    [[...run, '--job', url], /--job/],
    [[...publish, ...plain, file, `me:${CANARY}`], /userinfo-file "\*\*\*": must name a file/],
    [
      [...publish, ...plain],
      /FILE "\*\*\*": must name a file/,
      { ROWMILL_SCHEMA_REGISTRY_USERINFO_FILE: `me:${CANARY}` },
    ],
    [
      [...publish, '--schema-registry', query],
      /"http:\/\/127\.0\.0\.1:1\/\?\*\*\*": must be an http or https URL without \?/,
    ],
    [publish, /REGISTRY "http:\/\/127\.0\.0\.1:1\/\?\*\*\*": must be/, { ROWMILL_SCHEMA_REGISTRY: query }],
    ...[url, `me:${CANARY} x@127.0.0.1:1`, `127.0.0.1:1,me:${CANARY}@127.0.0.1:2`].flatMap((brokers): typeof slips => [
      [
        [...run, '--brokers', brokers],
        /--brokers ".*\*\*\*@127.*": must be HOST:PORT.*without http:\/\/, user and pass/,
      ],
      [publish, /ROWMILL_BROKERS ".*\*\*\*@127.*": must be HOST:PORT/, { ROWMILL_BROKERS: brokers }],
    ]),
    [[...run, '-b', query], /-brokers "http:\/\/127\.0\.0\.1:1\/\?\*\*\*": must be HOST:PORT/],
  ]
  for (const [args, said, env = {}] of slips) {
    const begin = performance.now()
    const { ROWMILL_BROKERS } = cage.env
    assert.match(cage.check(await rowmill(args, { env: { ROWMILL_BROKERS: ROWMILL_BROKERS!, ...env } }), 2), said)
    assert.ok(performance.now() - begin < 20_000, `${said} took too long`)
  }
})

test('the command to resume shows no secret of the command line', async t => {
  const cage = await Cage.open(t)
  const out = cage.file(`out.csv?key=${CANARY}`)
  const collect = await rowmill(['collect', out, '--job', 'a', '--brokers', '127.0.0.1:1', '--broker-timeout', '1'])
  assert.match(cage.check(collect, 3), /to resume: rowmill collect '.*out\.csv\?key=\*\*\*/)
})

test('no worker, Python or broker inherits it, and --resume works with the password given again', async t => {
  const cage = await Cage.open(t)
  const output = cage.file('out.csv')
  const env = { ...cage.env, ROWMILL_BROKERS: '' }
  const args = ['run', cage.input, output, '--classifier', `${CLASSIFIERS}:says_when_it_works`, '--workers', '2']
  const { child, finished } = startRowmill(args, { env })
  t.after(() => child.kill('SIGKILL'))
  for await (const line of createInterface(child.stderr)) if (line === 'at work') break
  cage.checkProcesses(child.pid!)
  child.kill('SIGINT')
  cage.check(await finished, 130)
  const state = JSON.parse(readFileSync(`${output}.rowmill/run.json`, 'utf8'))
  assert.equal(state.options.schemaRegistry, cage.url)

  const forgotten = cage.check(await rowmill(['run', '--resume', output]), 3)
  assert.match(forgotten, /who are you\?.*USER:PASSWORD/)
  cage.check(await rowmill(['run', '--resume', output], { env }), 0)
  assert.equal(readFileSync(output, 'utf8').split('\n').length, 801)
})

test('a file with USER:PASSWORD does the same; a malformed file is refused without being shown', async t => {
  const cage = await Cage.open(t)
  const list = ['jobs', 'list', '--pipeline', cage.pipeline, '--brokers', cage.brokers]
  const at = ['--schema-registry', cage.url]
  const logIn = async (file: string) => await rowmill([...list, ...at, '--schema-registry-userinfo-file', file])
  const [good, bad] = [testFolder(t), testFolder(t)].map(folder => join(folder, 'userinfo')) as [string, string]
  writeFileSync(good, `${USERINFO}\n`)
  cage.check(
    await rowmill(['jobs', 'open', '--columns', 'A', ...list.slice(2), ...at, '--schema-registry-userinfo-file', good]),
    0,
  )
  cage.check(await logIn(good), 0)
  for (const text of [CANARY, `${USERINFO}\n${USERINFO}`, '', `:${CANARY}`]) {
    writeFileSync(bad, text)
    assert.match(cage.check(await logIn(bad), 2), /userinfo: the file must hold one line, USER:PASSWORD \[USAGE\]/)
  }
  assert.match(cage.check(await logIn(`${bad}.not`), 2), /the file cannot be read: ENOENT/)
  const file = ['--schema-registry-userinfo-file', good]
  assert.match(cage.check(await rowmill([...list, ...file]), 2), /Give --schema-registry URL too/)
  assert.match(cage.check(await rowmill([...list, ...file], { env: cage.env }), 2), /has a user too/)
})
