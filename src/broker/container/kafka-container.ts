import type { Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import type { ContainerRuntimeClient, StartedTestContainer, WaitStrategy } from 'testcontainers'
import { RowmillError } from '../../errors.ts'
import { type BrokerLogin, clientProperties, localCluster, writeSecretFile } from '../broker-login.ts'
import { type BrokerDirectory, makeBrokerDirectory } from '../jvm/broker-directory.ts'
import { type BrokerPorts, brokerFiles, containerEnvironment, containerSecrets } from '../jvm/broker-files.ts'
import { brokerFailed, READY_MS } from '../jvm/kafka-process.ts'
import { linesThatMatter, TAIL_BYTES } from '../last-words.ts'
import { newClusterId, untilReady } from '../readiness.ts'
import type { LocalBroker } from '../running-broker.ts'

export interface ContainerLaunch {
  readonly testcontainers: typeof import('testcontainers')
  readonly client: ContainerRuntimeClient
  readonly image: string
  readonly ports: BrokerPorts
  /** Null: everybody on this machine may use the broker. */
  readonly login: BrokerLogin | null
  readonly signal: AbortSignal
}

/** How long we wait for the last output of a container after Docker has removed it. */
const LAST_WORDS_MS = 300

type Launched = { broker: LocalBroker; error?: never } | { broker?: never; error: RowmillError }

/**
 * The first process of the container. When it ends, all others in the container end. Its standard input is a connection
 * that only rowmill holds. When rowmill ends, however it ends, Docker closes the input, and this script kills Kafka. So we
 * do not need the reaper of testcontainers, which is one more image and has full control of Docker.
 *
 * The input begins with variables for Kafka that `docker inspect` must not show, and an empty line.
 *
 * A first process ignores signals that it does not catch. Without the trap `docker stop` would wait for 10 s.
 */
const GUARD_SCRIPT = `
while read -r variable && [ -n "$variable" ]; do export "$variable"; done
exec 3<&0 </dev/null
/etc/kafka/docker/run 3<&- &
kafka=$!
trap 'exit 143' TERM
(cat <&3 >/dev/null; kill -s KILL "$kafka") &
wait "$kafka"
`

/** A created container. It may not be started yet. */
interface CreatedContainer {
  /** Resolves with the exit status when Docker has removed it. Null if Docker stopped answering. */
  readonly removed: Promise<number | null>
  readonly lastWords: () => string
  /** Ends it. Resolves when it is removed. */
  readonly remove: () => Promise<number | null>
}

/** Starts the container. Resolves when Kafka answers in it, or with BROKER_FAILED after the container was removed. */
export async function launchContainer(launch: ContainerLaunch): Promise<Launched> {
  const { client, ports, login, signal } = launch
  const clusterId = newClusterId()
  const stop = new AbortController()
  const limits = AbortSignal.any([signal, stop.signal, AbortSignal.timeout(READY_MS)])
  let made: CreatedContainer | null = null
  const steps: ContainerSteps = {
    onMade: async id => {
      made = await watch(client, id, firstInput(login))
      signal.throwIfAborted()
    },
    untilAnswering: async () => {
      const { removed, lastWords } = made!
      const ended = removed.then(status =>
        Promise.reject(brokerFailed(`does not start: it ${how(status)}`, lastWords())),
      )
      await Promise.race([untilReady({ port: ports.broker, clusterId, login }, limits), ended])
    },
  }
  try {
    await startContainer(launch, clusterId, steps)
    return { broker: running(made!, launch, login && (await keepClientConfig(launch.ports, login))) }
  } catch (error) {
    await (made as CreatedContainer | null)?.remove()
    signal.throwIfAborted()
    return { error: describe(error as Error, made) }
  } finally {
    stop.abort()
  }
}

interface ContainerSteps {
  /** Called when Docker has created the container, before it starts. */
  readonly onMade: (id: string) => Promise<void>
  readonly untilAnswering: () => Promise<void>
}

function startContainer(
  launch: ContainerLaunch,
  clusterId: string,
  steps: ContainerSteps,
): Promise<StartedTestContainer> {
  const { testcontainers, image, ports, login } = launch
  const port = `${ports.broker}`
  class KafkaContainer extends testcontainers.GenericContainer {
    constructor() {
      super(image)
      this.createOpts = { ...this.createOpts, OpenStdin: true, StdinOnce: true }
      // testcontainers would bind to all interfaces. With AutoRemove, Docker removes the container even if rowmill cannot.
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
    .withEnvironment(containerEnvironment(clusterId, { ports, login }))
    .withAutoCleanup(false)
    .withWaitStrategy(untilAnswering)
    .start()
}

/** What the guard reads first. */
function firstInput(login: BrokerLogin | null): string {
  const variables = Object.entries(containerSecrets(login)).map(([name, value]) => `${name}=${value}\n`)
  return `${variables.join('')}\n`
}

/** Attaches to the input and output of a container that is not started yet, and writes `input`. */
async function watch(client: ContainerRuntimeClient, id: string, input: string): Promise<CreatedContainer> {
  const container = client.container.getById(id)
  // Ask before the start: Docker forgets the status of a removed container.
  const removed: Promise<number | null> = container.wait({ condition: 'removed' }).then(
    ({ StatusCode }) => StatusCode,
    () => null,
  )
  // The container may be gone already.
  const destroy = () => container.remove({ force: true, v: true }).catch(() => {})
  const streams = { stream: true, stdin: true, stdout: true, stderr: true, hijack: true }
  const connection = await container.attach(streams).catch(async error => {
    await destroy()
    throw error
  })
  connection.on('error', () => {}) // `removed` reports the end
  // If a container never started, Docker may leave its connection open, and this process would not end.
  void removed.then(() => setTimeout(() => (connection as Socket).destroy(), LAST_WORDS_MS))
  const said = new PassThrough({ encoding: 'utf8' })
  let tail = ''
  said.on('data', (text: string) => {
    tail = `${tail}${text}`.slice(-TAIL_BYTES)
  })
  container.modem.demuxStream(connection, said, said)
  connection.write(input)
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

/** A container has no folder on this machine, so the properties of its clients get one. */
async function keepClientConfig({ broker }: BrokerPorts, login: BrokerLogin): Promise<BrokerDirectory> {
  const directory = await makeBrokerDirectory()
  await writeSecretFile(brokerFiles(directory.path).client, clientProperties(`127.0.0.1:${broker}`, login))
  return directory
}

function running(
  { removed, lastWords, remove }: CreatedContainer,
  { ports, login }: ContainerLaunch,
  directory: BrokerDirectory | null,
): LocalBroker {
  let closing: Promise<void> | null = null
  const died = removed.then(status => {
    if (closing !== null) return new Promise<never>(() => {})
    return brokerFailed(how(status), lastWords())
  })
  const close = () => {
    closing ??= remove().then(() => directory?.release())
    return closing
  }
  const address = `127.0.0.1:${ports.broker}`
  return {
    address,
    cluster: localCluster(address, login),
    login,
    clientConfig: directory && brokerFiles(directory.path).client,
    keepsData: false,
    died,
    close,
    kill: close,
  }
}

function how(status: number | null): string {
  return status === null ? 'lost its container: Docker does not answer' : `ended by itself with status ${status}`
}

function describe(error: Error, made: CreatedContainer | null): RowmillError {
  if (error instanceof RowmillError) return error
  const why =
    error.name === 'TimeoutError' ? `does not answer within ${READY_MS / 1000} s` : `does not start: ${error.message}`
  const { code, message } = brokerFailed(`in a container ${why}`, made?.lastWords() ?? '')
  const portTaken = /port is already allocated|address already in use/i.test(error.message)
  return new RowmillError(code, message, { portTaken }, { cause: error })
}
