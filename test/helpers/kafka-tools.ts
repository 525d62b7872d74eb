import { execFile } from 'node:child_process'
import { access, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { copyJarsArguments } from '../../src/broker/jvm/broker-files.ts'
import { findJava, findMaven } from '../../src/broker/jvm/java.ts'
import { cacheDirectory } from '../../src/broker/jvm/kafka-jars.ts'

/** The newest published version: Maven Central lacks the tools of 4.4.0. They run on the libraries of their version. */
const TOOLS_VERSION = '4.3.1'

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>rowmill</groupId>
  <artifactId>kafka-tools</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka-tools</artifactId>
      <version>${TOOLS_VERSION}</version>
      <exclusions>
        <exclusion>
          <groupId>org.apache.kafka</groupId>
          <artifactId>connect-runtime</artifactId>
        </exclusion>
      </exclusions>
    </dependency>
  </dependencies>
</project>
`

/**
 * Runs a command-line tool of Kafka, such as `org.apache.kafka.tools.TopicCommand` (kafka-topics.sh) or
 * `org.apache.kafka.tools.consumer.ConsoleConsumer`, and resolves to its standard output. Rejects with its output if it
 * fails. The first use downloads its jar into the cache of rowmill. `input` is its standard input.
 */
export async function runKafkaTool(mainClass: string, args: readonly string[], input = ''): Promise<string> {
  const [tools, java] = await Promise.all([prepareTools(), findJava()])
  const options = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', join(tools, '*')]
  const running = promisify(execFile)(java.command, [...options, mainClass, ...args], { maxBuffer: 2 ** 30 })
  running.child.stdin!.on('error', () => {}).end(input)
  return (await running).stdout
}

/** A folder gets its name only when it is complete. */
async function prepareTools(): Promise<string> {
  const folder = join(cacheDirectory(), `kafka-tools-${TOOLS_VERSION}`)
  if (await exists(folder)) return folder
  await mkdir(cacheDirectory(), { recursive: true })
  const workshop = await mkdtemp(`${folder}.tmp-`)
  try {
    const pom = join(workshop, 'pom.xml')
    await writeFile(pom, POM)
    await promisify(execFile)(await findMaven(), copyJarsArguments(pom, join(workshop, 'jars')))
    await rename(join(workshop, 'jars'), folder).catch(async error => {
      if (!(await exists(folder))) throw error
    })
  } finally {
    await rm(workshop, { recursive: true, force: true })
  }
  return folder
}

/** Deletes everything before these offsets, as retention does. */
export async function deleteBefore(
  brokers: string,
  offsets: readonly { topic: string; partition: number; offset: number }[],
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'rowmill-test-'))
  try {
    const file = join(folder, 'delete.json')
    await writeFile(file, JSON.stringify({ version: 1, partitions: offsets }))
    const where = ['--bootstrap-server', brokers, '--offset-json-file', file]
    await runKafkaTool('org.apache.kafka.tools.DeleteRecordsCommand', where)
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  )
}
