/** Makes what tests and demo need and a clone lacks: a virtual environment with pandas, Kafka's jars, optional packages. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { prepareKafkaJars } from '../src/broker/local-broker.ts'

const ROOT = join(import.meta.dirname, '..')
const CLIENT = '@kafkajs/confluent-schema-registry'
const REGISTRY_CLIENT = join(ROOT, 'test/registry-client')
/** It stands for a project of a user. It is large, and rowmill works without it. */
const TRACING_SDK = join(ROOT, 'test/tracing-sdk')
/** npm runs under the Node that comes first. */
const PATH = `${dirname(process.execPath)}${delimiter}${process.env['PATH']}`

/** The interpreter of the project's virtual environment. */
export function preparePython(say: (message: string) => void): Promise<string> {
  return prepareVenv('.venv', ['examples/requirements.txt', 'test/requirements.txt'], say)
}

/**
 * The interpreter of the virtual environment in `folder` of the clone. Makes it if it is missing or its pins have changed.
 * The last of the files of pins takes in the others.
 */
export async function prepareVenv(
  folder: string,
  files: readonly string[],
  say: (message: string) => void,
): Promise<string> {
  const venv = join(ROOT, folder)
  const python = join(venv, 'bin', 'python')
  const pins = await Promise.all(files.map(file => readFile(join(ROOT, file), 'utf8')))
  const digest = createHash('sha256').update(pins.join('\n')).digest('hex')
  const stamp = join(venv, 'requirements.sha256')
  const made = await readFile(stamp, 'utf8').catch(() => null)
  if (made === digest && existsSync(python)) return python
  say(
    `making a virtual environment in ${folder} with ${pins
      .join(' ')
      .match(/^[a-z-]+==\S+/gm)
      ?.join(' and ')} (once)`,
  )
  await rm(venv, { recursive: true, force: true })
  await command('python3', ['-m', 'venv', venv], 'Is the Python package venv installed (python3-venv on Debian)?')
  const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', join(ROOT, files.at(-1)!)]
  await command(python, install, 'Is the package index reachable, and has it these versions for this Python?')
  await writeFile(stamp, digest)
  return python
}

/**
 * Installs the client of a schema registry, as a user does who needs one. It is no development dependency: it needs Node 22,
 * npm would warn where an older Node starts it, and `npm install` runs before there is the Node of the clone.
 */
async function prepareRegistryClient(say: (message: string) => void): Promise<void> {
  const installed = await installIn(REGISTRY_CLIENT, CLIENT, say)
  const link = join(ROOT, 'node_modules', CLIENT)
  if (existsSync(link)) return // npm install removes what it does not know
  await mkdir(dirname(link), { recursive: true })
  await rm(link, { force: true })
  await symlink(installed, link)
}

/** Installs what the package.json of a folder of the tests names, and returns where the package is. */
async function installIn(folder: string, name: string, say: (message: string) => void): Promise<string> {
  const installed = join(folder, 'node_modules', name)
  if (existsSync(installed)) return installed
  say(`installing ${name} for the tests (once)`)
  const install = ['ci', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund']
  await command('npm', install, 'Is the package registry reachable?')
  return installed
}

async function command(file: string, args: readonly string[], hint: string): Promise<void> {
  try {
    await promisify(execFile)(file, [...args], { env: { ...process.env, PATH } })
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string }
    throw new Error(`${file} ${args.slice(0, 3).join(' ')} failed: ${stderr?.trim() || message}\n${hint}`)
  }
}

if (import.meta.main) {
  const say = (message: string) => process.stderr.write(`prepare: ${message}\n`)
  try {
    const [client, sdk] = [prepareRegistryClient(say), installIn(TRACING_SDK, '@opentelemetry/sdk-node', say)]
    await Promise.all([preparePython(say), prepareKafkaJars(say), client, sdk])
  } catch (error) {
    say((error as Error).message)
    process.exitCode = 1
  }
}
