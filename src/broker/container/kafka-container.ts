import type { Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import type { ContainerRuntimeClient, StartedTestContainer, WaitStrategy } from 'testcontainers'
import { RowmillError } from '../../errors.ts'
import { type BrokerPorts, containerEnvironment } from '../jvm/broker-files.ts'
import { brokerFailed, READY_MS } from '../jvm/kafka-process.ts'
import { linesThatMatter, TAIL_BYTES } from '../last-words.ts'
import { newClusterId, untilReady } from '../readiness.ts'
import type { LocalBroker } from '../running-broker.ts'

export interface ContainerLaunch {
  readonly testcontainers: typeof import('testcontainers')
  readonly client: ContainerRuntimeClient
  readonly image: string
  readonly ports: BrokerPorts
  readonly signal: AbortSignal
}

/** How long what a container said at last may be on its way when Docker has removed it. */
const LAST_WORDS_MS = 300

type Launched = { broker: LocalBroker; error?: never } | { broker?: never; error: RowmillError }

/**
 * The first process of the container, whose end is the end of all others in it. Its standard input is a connection that
 * only rowmill holds: when rowmill is gone, however it went, Docker ends the input, and this ends Kafka. Hence no need
 * for the reaper of testcontainers, which is one more image to fetch, and commands all of Docker. The trap is there
 * because a first process ignores what it does not catch, and `docker stop` would wait for 10 s.
 */
const GUARD_SCRIPT = `
exec 3<&0 </dev/null
/etc/kafka/docker/run 3<&- &
kafka=$!
trap 'exit 143' TERM
(cat <&3 >/dev/null; kill -s KILL "$kafka") &
wait "$kafka"
`

/** A container that was made, started or not. */
interface Made {
  /** Resolves when Docker has removed it, to the exit status; to null when Docker does not answer any more. */
  readonly removed: Promise<number | null>
  readonly lastWords: () => string
  /** Ends it, and resolves when it is removed. */
  readonly remove: () => Promise<number | null>
}

/** Starts the container and resolves when Kafka answers in it, or to BROKER_FAILED when nothing of it is left. */
export async function launchContainer(launch: ContainerLaunch): Promise<Launched> {
  const { client, ports, signal } = launch
  const clusterId = newClusterId()
  const stop = new AbortController()
  const limits = AbortSignal.any([signal, stop.signal, AbortSignal.timeout(READY_MS)])
  let made: Made | null = null
  const steps: Steps = {
    onMade: async id => {
      made = await watch(client, id)
      signal.throwIfAborted()
    },
    untilAnswering: async () => {
      const { removed, lastWords } = made!
      const ended = removed.then(status =>
        Promise.reject(brokerFailed(`does not start: it ${how(status)}`, lastWords())),
      )
      await Promise.race([untilReady(ports.broker, clusterId, limits), ended])
    },
  }
  try {
    await startContainer(launch, clusterId, steps)
    return { broker: running(made!, ports) }
  } catch (error) {
    await (made as Made | null)?.remove()
    signal.throwIfAborted()
    return { error: describe(error as Error, made) }
  } finally {
    stop.abort()
  }
}

interface Steps {
  /** Called when Docker has made the container, before it starts. */
  readonly onMade: (id: string) => Promise<void>
  readonly untilAnswering: () => Promise<void>
}

function startContainer(launch: ContainerLaunch, clusterId: string, steps: Steps): Promise<StartedTestContainer> {
  const { testcontainers, image, ports } = launch
  const port = `${ports.broker}`
  class KafkaContainer extends testcontainers.GenericContainer {
    constructor() {
      super(image)
      this.createOpts = { ...this.createOpts, OpenStdin: true, StdinOnce: true }
      // testcontainers binds to all interfaces; and Docker removes the container also when rowmill cannot.
      const bindings = { [`${port}/tcp`]: [{ HostIp: '127.0.0.1', HostPort: port }] }
      this.withExposedPorts({ container: ports.broker, host: ports.broker })
      this.hostConfig = { ...this.hostConfig, PortBindings: bindings, AutoRemove: true }
    }

    protected override containerCreated = steps.onMade
  }
  const untilAnswering: WaitStrategy = {
    waitUntilReady: steps.untilAnswering,
    withStartupTimeout: () => untilAnswering,
    isStartupTimeoutSet: () => true,
    getStartupTimeout: () => READY_MS,
  }
  return new KafkaContainer()
    .withEntrypoint(['/bin/sh', '-c', GUARD_SCRIPT])
    .withEnvironment(containerEnvironment(clusterId, ports))
    .withAutoCleanup(false)
    .withWaitStrategy(untilAnswering)
    .start()
}

/** Takes hold of the input of a container that was not started yet, and of what it will say. */
async function watch(client: ContainerRuntimeClient, id: string): Promise<Made> {
  const container = client.container.getById(id)
  // Asked before the start: of a container that is gone already Docker knows no status.
  const removed: Promise<number | null> = container.wait({ condition: 'removed' }).then(
    ({ StatusCode }) => StatusCode,
    () => null,
  )
  // It may be gone, or going, already.
  const destroy = () => container.remove({ force: true, v: true }).catch(() => {})
  const streams = { stream: true, stdin: true, stdout: true, stderr: true, hijack: true }
  const connection = await container.attach(streams).catch(async error => {
    await destroy()
    throw error
  })
  connection.on('error', () => {}) // `removed` tells
  // Docker may leave the connection of a container open that never started, and this process would not end.
  void removed.then(() => setTimeout(() => (connection as Socket).destroy(), LAST_WORDS_MS))
  const said = new PassThrough({ encoding: 'utf8' })
  let tail = ''
  said.on('data', (text: string) => {
    tail = `${tail}${text}`.slice(-TAIL_BYTES)
  })
  container.modem.demuxStream(connection, said, said)
  return {
    removed,
    lastWords: () => linesThatMatter(tail),
    remove: async () => {
      connection.end()
      await destroy()
      return await removed
    },
  }
}

function running({ removed, lastWords, remove }: Made, ports: BrokerPorts): LocalBroker {
  let closing: Promise<void> | null = null
  const died = removed.then(status => {
    if (closing !== null) return new Promise<never>(() => {})
    return brokerFailed(how(status), lastWords())
  })
  const close = () => {
    closing ??= remove().then(() => {})
    return closing
  }
  return {
    address: `127.0.0.1:${ports.broker}`,
    keepsData: false,
    died,
    close,
    kill: close,
  }
}

function how(status: number | null): string {
  return status === null ? 'lost its container: Docker does not answer' : `ended by itself with status ${status}`
}

function describe(error: Error, made: Made | null): RowmillError {
  if (error instanceof RowmillError) return error
  const why =
    error.name === 'TimeoutError' ? `does not answer within ${READY_MS / 1000} s` : `does not start: ${error.message}`
  const { code, message } = brokerFailed(`in a container ${why}`, made?.lastWords() ?? '')
  const portTaken = /port is already allocated|address already in use/i.test(error.message)
  return new RowmillError(code, message, { portTaken }, { cause: error })
}
