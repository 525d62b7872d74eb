/** A broker with a policy for new topics, as managed services have one. */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { MAVEN_DEPENDENCY_PLUGIN, type Properties } from '../../src/broker/jvm/broker-files.ts'
import { findJava, findMaven } from '../../src/broker/jvm/java.ts'
import { cacheDirectory, prepareKafka } from '../../src/broker/jvm/kafka-jars.ts'
import { type startLocalBroker, startOnFreePort } from '../../src/broker/local-broker.ts'
import { choosePorts } from '../../src/broker/ports.ts'
import { testFolder } from './cli.ts'
import { python } from './python.ts'

const run = promisify(execFile)
const POLICY = 'ServiceLimits'
const SOURCE = join(import.meta.dirname, `../fixtures/topic-policy/${POLICY}.java`)
/** The compiler of Eclipse is a single jar of 3 MB, so the tests need no JDK. This is its last line for Java 17. */
const COMPILER = 'ecj'
const COMPILER_VERSION = '3.38.0'

/**
 * How to start brokers that refuse topics by the rules in `test/fixtures/topic-policy`. `limits` are these rules by
 * pipeline. `closing` removes the files.
 */
export async function policedBroker(
  closing: (close: () => void) => void,
  limits: Readonly<Record<string, string>>,
): Promise<{ start: typeof startLocalBroker; properties: Properties }> {
  const signal = new AbortController().signal
  const prepared = await prepareKafka(() => {}, signal)
  const jars = testFolder({ after: closing })
  const ofKafka = readdirSync(prepared.home.jars)
  for (const jar of ofKafka) symlinkSync(join(prepared.home.jars, jar), join(jars, jar))
  await compilePolicy(jars, ofKafka)
  const home = { ...prepared.home, jars }
  const start: typeof startLocalBroker = ({ port, dataDir, properties } = {}) =>
    startOnFreePort({
      prepared: { ...prepared, home, archive: [] }, // an archive of classes is for one class path
      dataDir,
      properties,
      choose: () => choosePorts(port),
      signal,
    })
  const rules = Object.entries(limits).map(([pipeline, rules]) => [`limits.${pipeline}`, rules])
  return { start, properties: { 'create.topic.policy.class.name': POLICY, ...Object.fromEntries(rules) } }
}

/** Adds the jar of the policy to those of Kafka. */
async function compilePolicy(jars: string, ofKafka: readonly string[]): Promise<void> {
  const [java, compiler] = await Promise.all([findJava(), prepareCompiler()])
  const classes = join(jars, 'classes')
  mkdirSync(classes)
  const classPath = ofKafka.map(jar => join(jars, jar)).join(':')
  await run(java.command, ['-jar', compiler, '-source', '17', '-target', '17', '-cp', classPath, '-d', classes, SOURCE])
  await run(python, ['-m', 'zipfile', '-c', join(jars, 'policy.jar'), join(classes, `${POLICY}.class`)])
}

/** The compiler, which Maven downloads once into the cache of rowmill. A folder gets its name only when it is complete. */
async function prepareCompiler(): Promise<string> {
  const folder = join(cacheDirectory(), `${COMPILER}-${COMPILER_VERSION}`)
  const jar = join(folder, `${COMPILER}-${COMPILER_VERSION}.jar`)
  if (existsSync(jar)) return jar
  await mkdir(cacheDirectory(), { recursive: true })
  const workshop = await mkdtemp(`${folder}.tmp-`)
  const artifact = `-Dartifact=org.eclipse.jdt:${COMPILER}:${COMPILER_VERSION}`
  const options = ['-B', '-q', '-C', `${MAVEN_DEPENDENCY_PLUGIN}:copy`, artifact, `-DoutputDirectory=${workshop}`]
  try {
    await run(await findMaven(), options, { cwd: workshop })
    await rename(workshop, folder).catch(error => {
      if (!existsSync(jar)) throw error
    })
  } finally {
    await rm(workshop, { recursive: true, force: true })
  }
  return jar
}
