import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, realpath, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { copyJarsArguments } from '../../src/broker/jvm/broker-files.ts'
import { findJava, findMaven } from '../../src/broker/jvm/java.ts'
import { cacheDirectory } from '../../src/broker/jvm/kafka-jars.ts'

const FOLDER = join(import.meta.dirname, 'streams')
const run = promisify(execFile)

export interface KafkaStreams {
  /** The settings in force, one line each: `producer linger.ms=0`. */
  readonly configuration: readonly string[]
  close(): Promise<void>
}

export interface KafkaStreamsOptions {
  readonly broker: string
  readonly into: string
  readonly from: string
  readonly threads: number
  /** For its classes and its state. */
  readonly folder: string
  readonly say: (text: string) => void
}

/**
 * Starts streams/PassThrough.java, which copies every message of the topic `into` to `from`. Resolves when it runs.
 * Maven downloads its jars once, into the cache of the local broker. It ends with this process.
 */
export async function startKafkaStreams(options: KafkaStreamsOptions): Promise<KafkaStreams> {
  const { folder, say } = options
  const child = spawnPassThrough(await compilePassThrough(folder, say), options)
  const ended = endOf(child)
  const configuration = await Promise.race([saidBeforeReady(child), ended.then(() => null)])
  if (configuration === null) throw new Error('PassThrough.java ended before it ran')
  return {
    configuration,
    async close() {
      child.stdin?.end()
      await ended
    },
  }
}

/** Compiles PassThrough.java into `folder`. Returns the beginning of the command that runs it. */
export async function compilePassThrough(folder: string, say: (text: string) => void): Promise<string[]> {
  const java = (await findJava()).command
  const jars = join(await prepareJars(say), '*')
  const javac = join(dirname(await realpath(java)), 'javac')
  await run(javac, ['-cp', jars, '-d', folder, join(FOLDER, 'PassThrough.java')])
  return [java, '-Xmx512m', '-cp', `${folder}:${jars}`, 'PassThrough']
}

/** Starts the compiled program. It ends when its standard input does. */
export function spawnPassThrough(
  [java, ...jvm]: readonly string[],
  { broker, into, from, threads, folder }: Omit<KafkaStreamsOptions, 'say'>,
): ChildProcess {
  const args = [broker, into, from, String(threads), join(folder, 'state')]
  return spawn(java!, [...jvm, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
}

/** The folder of the jars. They are downloaded under another name first, so either all are there or none. */
async function prepareJars(say: (text: string) => void): Promise<string> {
  const pom = join(FOLDER, 'pom.xml')
  const digest = createHash('sha256')
    .update(await readFile(pom))
    .digest('hex')
  const jars = join(cacheDirectory(), `kafka-streams-${digest.slice(0, 8)}`)
  if (existsSync(jars)) return jars
  const maven = await findMaven()
  say('downloading Kafka Streams (25 MB, once)')
  await mkdir(cacheDirectory(), { recursive: true })
  const fetched = await mkdtemp(`${jars}.tmp-`)
  try {
    await run(maven, copyJarsArguments(pom, fetched))
    await rename(fetched, jars)
  } finally {
    await rm(fetched, { recursive: true, force: true })
  }
  return jars
}

async function saidBeforeReady(child: ChildProcess): Promise<string[]> {
  const lines: string[] = []
  for await (const line of createInterface({ input: child.stdout! })) {
    if (line === 'ready') break
    lines.push(line)
  }
  return lines
}

export function endOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => child.once('error', reject).once('exit', resolve))
}
