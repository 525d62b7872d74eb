import type { ContainerRuntimeClient } from 'testcontainers'
import { unlessAborted } from '../../support/abort.ts'
import { newLogin } from '../broker-login.ts'
import { type BrokerPorts, KAFKA_VERSION } from '../jvm/broker-files.ts'
import { choosePorts, isThisMachine } from '../ports.ts'
import type { LocalBroker } from '../running-broker.ts'
import { type ContainerLaunch, launchContainer } from './kafka-container.ts'

/** The value of ROWMILL_KAFKA_IMAGE that forbids containers. */
const NEVER = 'none'
const PORT_TRIES = 5

export interface ContainerBrokerOptions {
  /** The port of 127.0.0.1 to listen on. Default: a free one. */
  readonly port?: number | undefined
  /** Whether only clients with the secret of this start get in. */
  readonly auth: boolean
  /** What this machine lacks, for the log line about the container. */
  readonly why: string
  readonly onProgress: (message: string) => void
  readonly signal: AbortSignal
}

/**
 * Starts Apache Kafka in a container, with the settings of the local broker and also only for 127.0.0.1. It ends with this
 * process, however that ends. If this machine cannot run containers, it resolves with the reason as text.
 *
 * Throws BROKER_FAILED if Kafka does not start in the container, or the reason of `signal`.
 */
export async function startContainerBroker(options: ContainerBrokerOptions): Promise<LocalBroker | string> {
  const { port, auth, why, onProgress, signal } = options
  const image = process.env['ROWMILL_KAFKA_IMAGE'] || `apache/kafka:${KAFKA_VERSION}`
  if (image === NEVER) return `ROWMILL_KAFKA_IMAGE is ${NEVER}`
  const loaded = await load()
  if (typeof loaded === 'string') return loaded
  const { testcontainers, client } = loaded
  onProgress(`${why} on this machine: starting Kafka in a container (${image})`)
  const unfetched = await unlessAborted(fetchImage(loaded, image, onProgress), signal)
  if (unfetched !== null) return unfetched
  const launch = (ports: BrokerPorts): ContainerLaunch => {
    const login = auth ? newLogin() : null
    return { testcontainers, client, image, ports, login, signal }
  }
  // Another process may take a free port before Docker uses it. Then we choose again.
  for (let tries = 1; ; tries++) {
    const { broker, error } = await launchContainer(launch(await choosePorts(port)))
    if (broker) return broker
    if (!error.facts.portTaken || tries === PORT_TRIES) throw error
  }
}

interface DockerClient {
  readonly testcontainers: typeof import('testcontainers')
  readonly client: ContainerRuntimeClient
}

async function load(): Promise<DockerClient | string> {
  let testcontainers: typeof import('testcontainers')
  try {
    testcontainers = await import('testcontainers')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const missing = code === 'ERR_MODULE_NOT_FOUND' && message.includes("'testcontainers'")
    return missing ? 'the npm package testcontainers is not installed' : `testcontainers does not load: ${message}`
  }
  const client = await testcontainers.getContainerRuntimeClient().catch(() => null)
  if (client === null) return 'Docker does not answer. Is it running, and may this user use it?'
  // Inside a container, testcontainers takes Docker's gateway as the host. That is wrong if the engine runs there too.
  const { host, hostIps } = client.info.containerRuntime
  for (const { address } of hostIps) if (await isThisMachine(address)) return { testcontainers, client }
  return `Docker runs on ${host}, whose ports cannot be reached as 127.0.0.1`
}

/** Fetches the image. Returns null, or why Docker does not have it. */
async function fetchImage(
  { testcontainers, client }: DockerClient,
  image: string,
  onProgress: (message: string) => void,
) {
  try {
    const name = testcontainers.ImageName.fromString(image)
    if (await client.image.exists(name)) return null
    onProgress(`fetching the image ${image} (once)`)
    await client.image.pull(name)
    // A pull that fails halfway does not throw.
    await client.image.inspect(name)
    return null
  } catch (error) {
    return `Docker cannot fetch the image ${image}: ${(error as Error).message}`
  }
}
