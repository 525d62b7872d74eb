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
  const { broker, into, from, threads, folder, say } = options
  const java = (await findJava()).command
  const jars = join(await prepareJars(say), '*')
  const javac = join(dirname(await realpath(java)), 'javac')
  await run(javac, ['-cp', jars, '-d', folder, join(FOLDER, 'PassThrough.java')])
  const arguments_ = [broker, into, from, String(threads), join(folder, 'state')]
  const child = spawn(java, ['-Xmx512m', '-cp', `${folder}:${jars}`, 'PassThrough', ...arguments_], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
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

function endOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => child.once('error', reject).once('exit', resolve))
}
