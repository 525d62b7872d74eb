import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { MAVEN_DEPENDENCY_PLUGIN } from '../../src/broker/jvm/broker-files.ts'
import { type Guarded, startGuarded } from '../../src/broker/jvm/guard.ts'
import { findJava, findMaven } from '../../src/broker/jvm/java.ts'
import { cacheDirectory } from '../../src/broker/jvm/kafka-jars.ts'
import { withLock } from '../../src/support/file-lock.ts'
import { freePort } from './free-port.ts'

/** The last line of Apicurio that runs on Java 17; a download of 139 MB, and as much in the cache. */
const VERSION = '2.6.13.Final'
const RUNNER = `apicurio-registry-app-${VERSION}-runner.jar`
const FETCH_MS = 300_000
const READY_MS = 60_000

export interface TestRegistry {
  /** What --schema-registry takes. */
  readonly url: string
  close(): Promise<void>
}

/**
 * A real schema registry (Apicurio, with Confluent's API) on a free port of 127.0.0.1, empty and in memory. It ends at
 * `close`, or with this process. On first use Maven downloads it into the cache of rowmill.
 */
export async function startRegistry(): Promise<TestRegistry> {
  const [java, home] = await Promise.all([findJava(), prepareRegistry()])
  const port = await freePort()
  const directory = await mkdtemp(join(tmpdir(), 'rowmill-registry-'))
  const output = join(directory, 'output')
  const jvm = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData']
  const properties = { 'quarkus.http.host': '127.0.0.1', 'quarkus.http.port': port, 'java.io.tmpdir': directory }
  const given = Object.entries(properties).map(([name, value]) => `-D${name}=${value}`)
  const args = [...jvm, ...given, '-jar', join(home, RUNNER)]
  const guarded = await startGuarded({ command: java.command, args, directory, output, remove: directory })
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`
  try {
    await untilReady(`${url}/subjects`, guarded)
  } catch (cause) {
    const words = await readFile(output, 'utf8').catch(() => '')
    await guarded.close()
    throw new Error(`the schema registry does not start: ${words.slice(-2000)}`, { cause })
  }
  return { url, close: () => guarded.close() }
}

/** The URL of a proxy for the registry that requires `userinfo` (USER:PASSWORD), until the test ends. */
export async function lockedRegistry(
  t: { after(fn: () => void): void },
  registry: TestRegistry,
  userinfo: string,
): Promise<string> {
  const authorized = `Basic ${Buffer.from(userinfo).toString('base64')}`
  const target = new URL(registry.url)
  const door = createServer((incoming, outgoing) => {
    if (incoming.headers.authorization !== authorized) {
      outgoing.writeHead(401, { 'content-type': 'application/json' }).end('{"message": "who are you?"}')
      return
    }
    const { method, url: path, headers } = incoming
    const { hostname, port } = target
    const forwarded = request({ hostname, port, method, path, headers: { ...headers, host: target.host } }, answer => {
      outgoing.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(outgoing)
    })
    incoming.pipe(forwarded)
  })
  await once(door.listen(0, '127.0.0.1'), 'listening')
  t.after(() => door.close())
  return `http://127.0.0.1:${(door.address() as AddressInfo).port}${target.pathname}/`
}

async function untilReady(url: string, { ended }: Guarded): Promise<void> {
  const late = AbortSignal.timeout(READY_MS)
  let over = false
  void ended.then(() => {
    over = true
  })
  for (;;) {
    if (over) throw new Error('it ended')
    const answer = await fetch(url, { signal: late }).catch(() => null)
    if (answer?.ok) return
    await sleep(50, undefined, { signal: late })
  }
}

/** A folder gets its name only when it is complete. */
async function prepareRegistry(): Promise<string> {
  const folder = join(cacheDirectory(), `apicurio-registry-${VERSION}`)
  if (existsSync(folder)) return folder
  await mkdir(cacheDirectory(), { recursive: true })
  const say = () => process.stderr.write('waiting for another test run that fetches the schema registry\n')
  await withLock(`${folder}.lock`, AbortSignal.timeout(FETCH_MS), say, async () => {
    if (existsSync(folder)) return
    process.stderr.write(`fetching the schema registry Apicurio ${VERSION} (139 MB, once)\n`)
    const workshop = await mkdtemp(`${folder}.tmp-`)
    try {
      const fetched = join(workshop, 'fetched')
      const unpacked = join(workshop, 'unpacked')
      await mkdir(unpacked)
      const artifact = `-Dartifact=io.apicurio:apicurio-registry-app:${VERSION}:tar.gz:all`
      const options = ['-B', '-q', '-C', `${MAVEN_DEPENDENCY_PLUGIN}:copy`, artifact, `-DoutputDirectory=${fetched}`]
      await promisify(execFile)(await findMaven(), options, { cwd: workshop })
      const [archive] = await readdir(fetched)
      await promisify(execFile)('tar', ['-xzf', join(fetched, archive!), '-C', unpacked])
      await rename(unpacked, folder)
    } finally {
      await rm(workshop, { recursive: true, force: true })
    }
  })
  return folder
}
