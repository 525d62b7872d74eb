import { join } from 'node:path'
import { MAX_MESSAGE_BYTES } from '../../pipeline/topic-settings.ts'
import { type BrokerLogin, MECHANISM, serverJaas } from '../broker-login.ts'

export const KAFKA_VERSION = '4.4.0'
const LOG4J_VERSION = '2.25.5'
export const MAVEN_DEPENDENCY_PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.11.0'

/** What Maven needs to fetch a version of Kafka. It depends only on a logging facade: log4j-slf4j-impl writes its log. */
export const pomOf = (version: string) => `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>rowmill</groupId>
  <artifactId>local-broker</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>${version}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>${LOG4J_VERSION}</version>
    </dependency>
  </dependencies>
</project>
`

/** Arguments of Maven that copy the runtime jars of `pom` into `output`. With -C a wrong checksum is an error. */
export function copyJarsArguments(pom: string, output: string): string[] {
  const goal = `${MAVEN_DEPENDENCY_PLUGIN}:copy-dependencies`
  return ['-B', '-q', '-C', '-f', pom, goal, '-DincludeScope=runtime', `-DoutputDirectory=${output}`]
}

/** The files in the directory of one broker. */
export function brokerFiles(directory: string) {
  return {
    data: join(directory, 'data'),
    meta: join(directory, 'data', 'meta.properties'),
    properties: join(directory, 'server.properties'),
    /** For the clients of a private broker. */
    client: join(directory, 'client.properties'),
    logging: join(directory, 'log4j2.properties'),
    log: join(directory, 'kafka.log'),
    output: join(directory, 'jvm.log'),
    owner: join(directory, 'owner.json'),
    lock: join(directory, 'lock'),
  }
}

/**
 * How long the first member of a new group waits for others, so that workers that start together join together. With 0
 * the second join is a rebalance, which the first member learns of at its next heartbeat (300 rows: 1.35 s, not 1.12 s).
 */
const INITIAL_REBALANCE_DELAY_MS = 60

const BROKER_SESSION_MS = 2000

/** Nobody looks at the metrics of a local broker, and registering thousands of them takes time (docs/broker.md has the numbers). */
const NO_JMX = { 'metric.reporters': '', 'metrics.jmx.exclude': '.*' }

const HEAP = '-Xmx512m'

export interface BrokerPorts {
  readonly broker: number
  readonly controller: number
}

/** What the properties of one node depend on. */
export interface NodeSettings {
  /** The folder of its topics. */
  readonly data: string
  readonly ports: BrokerPorts
  /** Null: everybody may use it. */
  readonly login: BrokerLogin | null
}

/** Properties of one node that is broker and controller, on the loopback interface. `others` override them. */
export function serverProperties({ data, ports, login }: NodeSettings, others: Properties = {}): string {
  const node = nodeProperties('127.0.0.1', { data: escapeProperty(data), ports, login })
  return lines({ ...node, ...NO_JMX, ...(login && loginProperties(login)), ...others })
}

/**
 * The same node as environment variables of the image apache/kafka. In its container it listens on all interfaces, since
 * Docker does not forward to loopback. It uses the same port number inside and outside, so that the address it tells its
 * clients is right inside too.
 */
export function containerEnvironment(
  clusterId: string,
  { ports, login }: Pick<NodeSettings, 'ports' | 'login'>,
): Record<string, string> {
  const variables = variablesOf(nodeProperties('0.0.0.0', { data: '/tmp/rowmill-kafka', ports, login }))
  return { ...variables, CLUSTER_ID: clusterId, KAFKA_HEAP_OPTS: HEAP }
}

/** The secrets of a private node as such variables. Docker shows the environment of a container, so they are not in it. */
export function containerSecrets(login: BrokerLogin | null): Record<string, string> {
  return login ? variablesOf(loginProperties(login)) : {}
}

function variablesOf(properties: Properties): Record<string, string> {
  const variable = (name: string) => `KAFKA_${name.toUpperCase().replaceAll('.', '_')}`
  return Object.fromEntries(Object.entries(properties).map(([name, value]) => [variable(name), `${value}`]))
}

export type Properties = Readonly<Record<string, string | number | boolean>>

/** The secrets of a private node: one for its clients, and the same for its own connections. */
function loginProperties(login: BrokerLogin): Properties {
  const jaas = serverJaas(login)
  return { [jaasProperty('sasl')]: jaas, [jaasProperty('controller')]: jaas }
}

function jaasProperty(listener: string): string {
  return `listener.name.${listener}.${MECHANISM.toLowerCase()}.sasl.jaas.config`
}

function nodeProperties(host: string, { data, ports, login }: NodeSettings): Properties {
  // The names of listeners. An underscore in one would have to be escaped in the variables of a container.
  const [name, protocol] = login ? ['SASL', 'SASL_PLAINTEXT'] : ['PLAINTEXT', 'PLAINTEXT']
  return {
    'process.roles': 'broker,controller',
    'node.id': 1,
    listeners: `${name}://${host}:${ports.broker},CONTROLLER://127.0.0.1:${ports.controller}`,
    'advertised.listeners': `${name}://127.0.0.1:${ports.broker}`,
    'listener.security.protocol.map': `${name}:${protocol},CONTROLLER:${protocol}`,
    ...(login && {
      'inter.broker.listener.name': name,
      'sasl.enabled.mechanisms': MECHANISM,
      'sasl.mechanism.inter.broker.protocol': MECHANISM,
      'sasl.mechanism.controller.protocol': MECHANISM,
    }),
    'controller.listener.names': 'CONTROLLER',
    'controller.quorum.voters': `1@127.0.0.1:${ports.controller}`,
    'log.dirs': data,
    // The topics of a complete run leave the disk, and the open files of the broker, after this, and not after a minute.
    'log.segment.delete.delay.ms': 1000,
    // Otherwise the controller writes a record every 500 ms, and the broker reads it.
    'metadata.max.idle.interval.ms': 0,
    'auto.create.topics.enable': false,
    'message.max.bytes': MAX_MESSAGE_BYTES,
    'replica.fetch.max.bytes': MAX_MESSAGE_BYTES,
    'group.initial.rebalance.delay.ms': INITIAL_REBALANCE_DELAY_MS,
    // One partition is enough for one machine. With 50, Kafka creates 50 directories before the first member can join.
    'offsets.topic.num.partitions': 1,
    'offsets.topic.replication.factor': 1,
    'transaction.state.log.num.partitions': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'share.coordinator.state.topic.num.partitions': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    // After a crash a broker must wait until its last session is over: 9 s by default.
    'broker.session.timeout.ms': BROKER_SESSION_MS,
    'broker.heartbeat.interval.ms': BROKER_SESSION_MS / 4,
    // The default is 128 MB, and Kafka touches all of it at startup.
    'log.cleaner.dedupe.buffer.size': 2 * 1024 * 1024,
  }
}

/** Logs warnings and errors to the file, and nothing to standard output. */
export function loggingProperties(log: string): string {
  return lines({
    status: 'error',
    'appender.file.type': 'File',
    'appender.file.name': 'file',
    'appender.file.fileName': escapeProperty(log),
    'appender.file.layout.type': 'PatternLayout',
    'appender.file.layout.pattern': '%d %p %m (%c{1})%n',
    'rootLogger.level': 'warn',
    'rootLogger.appenderRef.file.ref': 'file',
  })
}

/**
 * Options of the JVM. The second compiler stays off: it doubles the CPU time until the broker is ready, and that of the
 * first gigabyte (docs/broker.md has the numbers). All files go to the broker's directory, because a killed JVM cannot
 * clean up.
 */
export function jvmArguments(jars: string, directory: string, archive: readonly string[]): string[] {
  const files = brokerFiles(directory)
  return [
    HEAP,
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-XX:-UsePerfData',
    '-XX:+ExitOnOutOfMemoryError',
    `-XX:ErrorFile=${join(directory, 'jvm-crash.log')}`,
    ...archive,
    `-Djava.io.tmpdir=${directory}`,
    `-Dlog4j2.configurationFile=${files.logging}`,
    '-cp',
    join(jars, '*'),
  ]
}

function lines(properties: Properties): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

/** Escapes a value for java.util.Properties: a backslash begins an escape, and non-ASCII text needs \\u escapes. */
function escapeProperty(value: string): string {
  return value
    .replaceAll('\\', '\\\\')
    .replace(/[^ -~]/g, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
