import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, delimiter, dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { areGenuine, jarDigests, jarFault } from '../../src/broker/jvm/jar-digests.ts'
import { findJava, findMaven } from '../../src/broker/jvm/java.ts'
import { cacheDirectory } from '../../src/broker/jvm/kafka-jars.ts'
import { LOCAL_KAFKA } from '../../src/broker/jvm/kafka-release.ts'
import { prepareKafkaJars } from '../../src/broker/local-broker.ts'
import { runFixture, type Said } from '../helpers/broker-owner.ts'
import { rowmill } from '../helpers/cli.ts'
import { OLDER_KAFKA } from '../helpers/older-kafka.ts'
import { descendants, untilGone } from '../helpers/processes.ts'

let folder = ''
let jars = ''

before(async () => {
  jars = await prepareKafkaJars()
  folder = await mkdtemp(join(tmpdir(), 'rowmill-jars-'))
})

after(async () => {
  await rm(folder, { recursive: true })
})

test('two processes that prepare an empty cache at once download once, and both find every jar', async t => {
  const env = await fakeMaven('copies', 'cp -r "$JARS" "$output"')
  const [first, second] = [runFixture(t, 'preparer', env), runFixture(t, 'preparer', env)]
  const said = [...(await first.all), ...(await second.all)]
  assert.equal(said.filter(({ progress }) => progress?.startsWith('fetching Kafka')).length, 1)
  assert.equal(said.filter(({ progress }) => progress?.startsWith('preparing quick starts')).length, 1)
  assert.equal(said.filter(line => 'jars' in line).length, 2, JSON.stringify(said))
  assert.equal(await readFile(env.CALLS, 'utf8'), 'mvn\n')
  const made = said.find(line => 'jars' in line)!.jars!
  assert.deepEqual(await readdir(made), await readdir(jars))
  const cached = await readdir(env.ROWMILL_CACHE)
  assert.equal(cached.length, 1, `left over: ${cached}`)
  const inside = await readdir(dirname(made))
  assert.deepEqual(inside.map(name => name.replace(/-[0-9a-f]{8}\.jsa$/, '.jsa')).sort(), [
    'classes.jsa',
    'complete.json',
    'jars',
    'template',
    'verified.json',
  ])

  const archive = join(dirname(made), inside.find(name => name.endsWith('.jsa'))!)
  await rm(archive)
  await writeFile(archive, 'unfit')
  const owner = runFixture(t, 'owner', env)
  assert.ok((await owner.says('address')).address, 'an unusable archive does not prevent startup')
  const below = descendants(owner.pid)
  await owner.kill()
  await untilGone(below)

  await truncate(join(made, 'log4j-api-2.25.5.jar'), 1000)
  const again = runFixture(t, 'preparer', { ...env, ...(await fakeMaven('refuses', 'exit 1')), ...cacheOf(env) })
  assert.equal(errorOf(await again.all)?.code, 'BROKER_NO_JARS', 'a truncated jar was not noticed')
})

test('a jar of the right size with other bytes is not used, whatever its source', async t => {
  const env = await fakeMaven('refuses a second time', 'exit 1')
  const home = join(env.ROWMILL_CACHE, basename(dirname(jars)))
  await cp(dirname(jars), home, { recursive: true })
  const prepared = async () => {
    const said = await runFixture(t, 'preparer', env).all
    return said.some(line => 'jars' in line) || errorOf(said)?.code
  }
  assert.equal(await prepared(), true)
  const jar = join(home, 'jars/kafka_2.13-4.4.0.jar')
  await flipByte(jar)
  assert.equal(await prepared(), 'BROKER_NO_JARS', 'is used as it is')
  await flipByte(jar)
  assert.equal(await prepared(), true)
  await writeFile(join(home, 'jars/other.jar'), '')
  assert.equal(await prepared(), 'BROKER_NO_JARS', 'Java would load it too')

  const bad = await fakeMaven(
    'forges',
    'cp -r "$JARS" "$output"; printf X | dd of="$output/kafka_2.13-4.4.0.jar" bs=1 seek=100 conv=notrunc',
  )
  const error = errorOf(await runFixture(t, 'preparer', bad).all)
  assert.equal(error?.code, 'BROKER_NO_JARS')
  assert.match(
    error.message,
    /kafka_2\.13-4\.4\.0\.jar has the SHA-256 digest [0-9a-f]{64} instead of [0-9a-f]{64}\. Remove/,
  )
  assert.deepEqual(await readdir(bad.ROWMILL_CACHE), [])
})

test('the jars are read again only after one of them changed', async () => {
  const [place, note] = [join(folder, 'few'), join(folder, 'note')]
  await mkdir(place)
  await writeFile(join(place, 'a.jar'), 'content')
  const wanted = await jarDigests(place)
  assert.equal(await areGenuine(place, note, wanted), true)
  assert.equal(await areGenuine(place, note, { 'a.jar': 'not looked at' }), true)
  await flipByte(join(place, 'a.jar'))
  assert.equal(await areGenuine(place, note, wanted), false)
  assert.match((await jarFault(place, wanted))!, /^a\.jar has the SHA-256 digest/)
  assert.equal(await jarFault(place, { 'b.jar': '' }), 'b.jar is missing')
  assert.equal(await jarFault(place, {}), 'a.jar does not belong to them')
})

test('the digests are those of the versions that Maven downloads', () => {
  const pinned = /<artifactId>([^<]+)<\/artifactId>\s*<version>([^<]{2,})<\/version>/g
  for (const { pom, digests } of [LOCAL_KAFKA, OLDER_KAFKA])
    for (const [, name, version] of pom.matchAll(pinned))
      assert.match(digests[`${name}-${version}.jar`] ?? '', /^[0-9a-f]{64}$/, `run npm run pin:kafka for ${name}`)
})

test('a download whose process is killed leaves nothing that looks complete, and Maven stops', async t => {
  const env = await fakeMaven(
    'hangs',
    'mkdir "$output"; cp "$JARS"/[a-k]* "$output"; echo >"$CALLS.half"; exec sleep 600',
  )
  const preparer = runFixture(t, 'preparer', env)
  await preparer.says('progress')
  const maven = await until(() => descendants(preparer.pid).find(({ name }) => name === 'sleep'))
  const below = descendants(preparer.pid)
  assert.ok(below.some(({ pid }) => pid === maven.pid))
  await preparer.kill()
  await untilGone(below)
  const left = await readdir(env.ROWMILL_CACHE)
  assert.deepEqual(
    left.filter(name => !name.includes('.lock')),
    [],
  )
})

test('a failure of Maven is reported with its last lines and the possible solutions', async t => {
  const lines = [
    '[ERROR] Could not transfer artifact org.apache.kafka:kafka_2.13: unknown host',
    '[ERROR] ',
    '[ERROR] Re-run Maven using the -X switch to enable full debug logging.',
  ]
  const env = await fakeMaven('fails', `printf '%s\\n' '${lines.join("' '")}'; exit 1`)
  const error = errorOf(await runFixture(t, 'preparer', env).all)
  assert.equal(error?.code, 'BROKER_NO_JARS')
  assert.match(error.message, /cannot fetch the jars of Kafka 4\.4\.0.*--brokers HOST:PORT.*unknown host$/s)
  assert.deepEqual(await readdir(env.ROWMILL_CACHE), [])
})

test('a cache that cannot be written is named', async t => {
  const file = join(folder, 'file')
  await writeFile(file, '')
  const error = errorOf(await runFixture(t, 'preparer', { ROWMILL_CACHE: join(file, 'cache') }).all)
  assert.equal(error?.code, 'BROKER_NO_JARS')
  assert.match(error.message, /cannot keep the jars of Kafka in .*file\/cache.*ROWMILL_CACHE/)
})

for (const [name, folder] of [
  ['HOME', '/proc'],
  ['ROWMILL_CACHE', '/proc/x'],
] as const) {
  test(`a cache that ${name}=${folder} cannot hold ends a command with what to do, and does not hang`, async () => {
    const env = { XDG_CACHE_HOME: undefined, ROWMILL_CACHE: undefined, NODE_COMPILE_CACHE: undefined, [name]: folder }
    assert.equal((await rowmill(['--version'], { env })).code, 0)
    const { code, stderr } = await rowmill(['broker'], { env })
    assert.equal(code, 3, stderr)
    assert.match(
      stderr,
      /cannot keep the jars of Kafka in \/proc\/.*Name another folder in ROWMILL_CACHE \[BROKER_NO_JARS\]/,
    )
  })
}

const skip = process.getuid?.() === 0 ? false : 'only root can run a process as another user'
test('without HOME and without an entry for the user, a command says what to do', { skip }, t => {
  const temporary = mkdtempSync('/tmp/rowmill-test-')
  t.after(() => rmSync(temporary, { recursive: true }))
  chmodSync(temporary, 0o777)
  const { HOME: _, XDG_CACHE_HOME: __, ROWMILL_CACHE: ___, NODE_COMPILE_CACHE: ____, ...rest } = process.env
  const env = { ...rest, TMPDIR: temporary }
  const command = (...args: string[]) =>
    spawnSync(process.execPath, ['bin/rowmill.js', ...args], { uid: 54_321, gid: 54_321, env, encoding: 'utf8' })
  const version = command('--version')
  assert.equal(version.status, 0, version.stderr)
  const { status, stderr } = command('broker')
  assert.equal(status, 3, stderr)
  assert.match(
    stderr,
    /HOME is not set, and this user has no home folder. Name a folder in ROWMILL_CACHE \[BROKER_NO_JARS\]/,
  )
  const { stdout } = command('doctor')
  assert.match(stdout, /cache-disk.*HOME is not set.*ROWMILL_CACHE=FOLDER/s)
})

test('a temporary folder that cannot be written is named', async t => {
  const error = errorOf(await runFixture(t, 'owner', { TMPDIR: join(folder, 'missing') }).all)
  assert.equal(error?.code, 'BROKER_FAILED')
  assert.match(error.message, /cannot use .*missing.*TMPDIR/)
})

test('the cache is ROWMILL_CACHE, else under XDG_CACHE_HOME, else under .cache in the home directory', () => {
  assert.equal(cacheDirectory({ ROWMILL_CACHE: '/a/b', XDG_CACHE_HOME: '/x' }), '/a/b')
  assert.equal(cacheDirectory({ XDG_CACHE_HOME: '/x' }), '/x/rowmill')
  assert.match(cacheDirectory({}), /\/\.cache\/rowmill$/)
})

test('without Java on PATH the error names the solutions', async t => {
  const error = { code: 'BROKER_NO_JAVA', message: /none on PATH.*install Java 17 or later.*--brokers HOST:PORT/ }
  await assert.rejects(findJava({ PATH: folder }), error)
  const env = { PATH: folder, JAVA_HOME: '', ROWMILL_KAFKA_IMAGE: 'none' }
  const said = errorOf(await runFixture(t, 'owner', env).all)
  assert.equal(said?.code, 'BROKER_NO_JAVA')
})

test('without Maven on PATH the error names the solutions, but only if the jars are missing', async t => {
  const error = { code: 'BROKER_NO_JARS', message: /no mvn on PATH.*--brokers HOST:PORT/ }
  await assert.rejects(findMaven({ PATH: folder }), error)
  const { command } = await findJava()
  const bin = await fakeProgram('only-java', 'java', `exec ${command} "$@"`)
  const env = { PATH: bin, JAVA_HOME: dirname(dirname(command)) }
  const without = errorOf(await runFixture(t, 'preparer', { ...env, ROWMILL_CACHE: join(folder, 'none') }).all)
  assert.equal(without?.code, 'BROKER_NO_JARS')
  const present = await runFixture(t, 'preparer', env).all
  assert.equal(errorOf(present), undefined)
})

test('JAVA_HOME goes before PATH, and is refused by name if it holds no Java', async () => {
  const bin = await fakeProgram('home/bin', 'java', 'exit 1')
  await writeFile(join(dirname(bin), 'release'), 'JAVA_VERSION="21.0.1"\n')
  assert.equal((await findJava({ ...process.env, JAVA_HOME: dirname(bin) })).command, join(bin, 'java'))
  const empty = { ...process.env, JAVA_HOME: join(folder, 'nothing') }
  await assert.rejects(findJava(empty), {
    code: 'BROKER_NO_JAVA',
    message: /JAVA_HOME is .*nothing, which has no/,
  })
})

for (const [text, found] of [
  ['openjdk version "11.0.22" 2024-01-16', 'is Java 11'],
  ['java version "1.8.0_402"', 'is Java 8'],
  ['Unable to locate a Java Runtime.', 'does not run'],
]) {
  test(`a Java that says ${text} is refused: it ${found}`, async () => {
    const bin = await fakeProgram(`says ${found}/bin`, 'java', `echo '${text}' >&2`)
    await assert.rejects(findJava({ PATH: bin }), { code: 'BROKER_NO_JAVA', message: new RegExp(found!) })
  })
}

interface Prepared extends NodeJS.ProcessEnv {
  readonly PATH: string
  readonly ROWMILL_CACHE: string
  readonly CALLS: string
}

/** An environment with an empty cache and an `mvn` that runs `script`, with the jar folder in $output. */
async function fakeMaven(name: string, script: string): Promise<Prepared> {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the braces are the shell's
  const find = 'for argument; do case $argument in -DoutputDirectory=*) output=${argument#*=};; esac; done'
  const bin = await fakeProgram(`${name}/bin`, 'mvn', `${find}\necho mvn >>"$CALLS"\n${script}`)
  const cache = join(folder, name, 'cache')
  await mkdir(cache)
  const path = [bin, process.env['PATH']].join(delimiter)
  return { PATH: path, ROWMILL_CACHE: cache, CALLS: join(folder, name, 'calls'), JARS: jars }
}

function cacheOf({ ROWMILL_CACHE }: Prepared): NodeJS.ProcessEnv {
  return { ROWMILL_CACHE }
}

/** Makes an executable shell script in its own folder, and returns the folder. */
async function fakeProgram(name: string, program: string, script: string): Promise<string> {
  const bin = join(folder, name)
  await mkdir(bin, { recursive: true })
  await writeFile(join(bin, program), `#!/bin/sh\n${script}\n`)
  await chmod(join(bin, program), 0o755)
  return bin
}

/** Writes other bytes, but keeps the size and the time of last modification. */
async function flipByte(path: string): Promise<void> {
  const [bytes, { atime, mtime }] = await Promise.all([readFile(path), stat(path)])
  bytes[bytes.length >> 1]! ^= 1
  await writeFile(path, bytes)
  await utimes(path, atime, mtime)
}

function errorOf(said: readonly Said[]) {
  return said.find(line => 'error' in line)?.error
}

async function until<T>(look: () => T | undefined): Promise<T> {
  for (;;) {
    const found = look()
    if (found !== undefined) return found
    await new Promise(resolve => setImmediate(resolve))
  }
}
