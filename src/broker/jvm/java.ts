import { execFile } from 'node:child_process'
import { access, constants, readFile, realpath } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { RowmillError } from '../../errors.ts'

/** Kafka 4 needs at least this version. */
const OLDEST_JAVA = 17

const WAYS_OUT =
  `install Java ${OLDEST_JAVA} or later and Maven, or start Docker and npm install testcontainers, ` +
  'or name a running Kafka with --brokers HOST:PORT'

export interface Java {
  readonly command: string
  /** Identifies this Java: a class archive fits only the Java that made it. */
  readonly release: string
}

/**
 * The Java of JAVA_HOME, or the first on PATH. Throws BROKER_NO_JAVA if it is missing or too old. The fact `missing`
 * says what this machine lacks. It is absent if JAVA_HOME is wrong, since the user should correct that.
 */
export async function findJava(env: NodeJS.ProcessEnv = process.env): Promise<Java> {
  const command = await findCommand(env)
  const release = await describe(command)
  const version = /(?:JAVA_VERSION=|version )"(?:1\.)?(\d+)/.exec(release)?.[1]
  if (version === undefined) {
    const message = `${command} does not run: ${firstLine(release)}. To continue, ${WAYS_OUT}`
    throw new RowmillError('BROKER_NO_JAVA', message, { command, missing: 'no working Java' })
  }
  if (Number(version) < OLDEST_JAVA) {
    const message = `the local Kafka needs Java ${OLDEST_JAVA} or later, but ${command} is Java ${version}. To continue, ${WAYS_OUT}`
    throw new RowmillError('BROKER_NO_JAVA', message, {
      command,
      version: Number(version),
      missing: `only Java ${version}`,
    })
  }
  return { command, release: `${await realpath(command)}\n${release}` }
}

/** Finds Maven on PATH. Throws BROKER_NO_JARS with the fact `missing` without it. */
export async function findMaven(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const command = await onPath('mvn', env)
  if (command !== null) return command
  const message = `Maven fetches the jars of the local Kafka, but there is no mvn on PATH. To continue, ${WAYS_OUT}`
  throw new RowmillError('BROKER_NO_JARS', message, { missing: 'no Maven' })
}

async function findCommand(env: NodeJS.ProcessEnv): Promise<string> {
  const home = env.JAVA_HOME
  if (home) {
    const command = join(home, 'bin', 'java')
    if (await isExecutable(command)) return command
    const message = `JAVA_HOME is ${home}, which has no bin/java. Correct or unset it, or ${WAYS_OUT}`
    throw new RowmillError('BROKER_NO_JAVA', message, { command })
  }
  const command = await onPath('java', env)
  if (command !== null) return command
  const message = `the local Kafka needs Java, but there is none on PATH. To continue, ${WAYS_OUT}`
  throw new RowmillError('BROKER_NO_JAVA', message, { missing: 'no Java' })
}

/** Reads the file `release` of a JDK, which has the version too, so that we need not start a JVM. */
async function describe(command: string): Promise<string> {
  const home = dirname(dirname(await realpath(command)))
  const release = await readFile(join(home, 'release'), 'utf8').catch(() => '')
  if (release.includes('JAVA_VERSION=')) return release
  return await promisify(execFile)(command, ['-version']).then(
    ({ stdout, stderr }) => stdout + stderr,
    (error: Error) => error.message,
  )
}

async function onPath(name: string, env: NodeJS.ProcessEnv): Promise<string | null> {
  for (const folder of (env.PATH ?? '').split(delimiter)) {
    if (folder !== '' && (await isExecutable(join(folder, name)))) return join(folder, name)
  }
  return null
}

async function isExecutable(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] || 'it prints nothing'
}
