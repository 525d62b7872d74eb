import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { KAFKA_VERSION } from '../../src/broker/jvm/broker-files.ts'
import { prepareKafkaJars } from '../../src/broker/local-broker.ts'

const ROOT = join(import.meta.dirname, '../..')
/** Some build machines have a program here that starts an engine, which then stays. */
const STARTER = join(ROOT, '../shared/tools/docker-engine')
const IMAGE = `rowmill-test-kafka:${KAFKA_VERSION}`

export async function docker(...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('docker', args)
  return stdout.trim()
}

/** Makes sure that a Docker engine answers, or returns the reason why none can. */
export async function startDocker(): Promise<string | null> {
  const answers = await docker('info').catch(() => null)
  if (answers !== null) return null
  if (!existsSync(STARTER))
    return 'no Docker engine answers, and there is no ../shared/tools/docker-engine to start one'
  return await promisify(execFile)(STARTER).then(
    () => null,
    ({ stderr, message }) => `${STARTER} cannot start a Docker engine: ${stderr || message}`,
  )
}

/** An image of Kafka from the jars of this machine, built with `docker-engine`: no image can be pulled there. */
export async function buildKafkaImage(): Promise<string> {
  const context = await mkdtemp(join(tmpdir(), 'rowmill-image-'))
  try {
    await cp(join(import.meta.dirname, '../broker/kafka-image'), context, { recursive: true })
    await cp(await prepareKafkaJars(), join(context, 'jars'), { recursive: true })
    await docker('build', '--quiet', '--tag', IMAGE, context)
    return IMAGE
  } finally {
    await rm(context, { recursive: true })
  }
}

/** The ids of the containers, running or not, that were made from this image. */
export async function containersOf(image: string): Promise<string[]> {
  const ids = await docker('ps', '--all', '--quiet', '--filter', `ancestor=${image}`)
  return ids === '' ? [] : ids.split('\n')
}
