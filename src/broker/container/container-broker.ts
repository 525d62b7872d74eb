import type { ContainerRuntimeClient } from 'testcontainers'
import { unlessAborted } from '../../support/abort.ts'
import { type BrokerPorts, KAFKA_VERSION } from '../jvm/broker-files.ts'
import { choosePorts, isThisMachine } from '../ports.ts'
import type { LocalBroker } from '../running-broker.ts'
import { type ContainerLaunch, launchContainer } from './kafka-container.ts'

/** What may stand in ROWMILL_KAFKA_IMAGE instead of an image. */
const NEVER = 'none'
const PORT_TRIES = 5

export interface ContainerBrokerOptions {
  /** The port of 127.0.0.1 to listen on. Default: a free one. */
  readonly port?: number | undefined
  /** What this machine lacks, for the line that says a container is started. */
  readonly why: string
  readonly onProgress: (message: string) => void
  readonly signal: AbortSignal
}

/**
 * Starts Apache Kafka in a container, with the settings of the local broker and like it for 127.0.0.1 alone. It ends
 * with this process, however that ends. Resolves to the reason, in words, where no container can be had on this machine.
 * Throws BROKER_FAILED when there is one but Kafka does not start in it, or the reason of `signal`.
 */
export async function startContainerBroker(options: ContainerBrokerOptions): Promise<LocalBroker | string> {
  const { port, why, onProgress, signal } = options
  const image = process.env['ROWMILL_KAFKA_IMAGE'] || `apache/kafka:${KAFKA_VERSION}`
  if (image === NEVER) return `ROWMILL_KAFKA_IMAGE is ${NEVER}`
  const loaded = await load()
  if (typeof loaded === 'string') return loaded
  const { testcontainers, client } = loaded
  onProgress(`${why} on this machine: starting Kafka in a container (${image})`)
  const unfetched = await unlessAborted(fetchImage(loaded, image, onProgress), signal)
  if (unfetched !== null) return unfetched
  const launch = (ports: BrokerPorts): ContainerLaunch => ({ testcontainers, client, image, ports, signal })
  // Between the choice of a free port and Docker's use of it another process may take it: then others are chosen.
  for (let tries = 1; ; tries++) {
    const { broker, error } = await launchContainer(launch(await choosePorts(port)))
    if (broker) return broker
    if (!error.facts.portTaken || tries === PORT_TRIES) throw error
  }
}

interface Loaded {
  readonly testcontainers: typeof import('testcontainers')
  readonly client: ContainerRuntimeClient
}

async function load(): Promise<Loaded | string> {
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
  // In a container testcontainers takes Docker's gateway for the host: right, unless the engine runs in there as well.
  const { host, hostIps } = client.info.containerRuntime
  for (const { address } of hostIps) if (await isThisMachine(address)) return { testcontainers, client }
  return `Docker runs on ${host}, and what listens there cannot be reached as 127.0.0.1`
}

/** Null when Docker has the image now, else why not. */
async function fetchImage({ testcontainers, client }: Loaded, image: string, onProgress: (message: string) => void) {
  try {
    const name = testcontainers.ImageName.fromString(image)
    if (await client.image.exists(name)) return null
    onProgress(`fetching the image ${image} (once)`)
    await client.image.pull(name)
    // A pull that fails half-way ends like one that does not.
    await client.image.inspect(name)
    return null
  } catch (error) {
    return `Docker cannot fetch the image ${image}: ${(error as Error).message}`
  }
}
