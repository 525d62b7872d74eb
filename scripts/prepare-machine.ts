/** Makes what tests and demo need and a clone does not hold: a virtual environment with pandas, and Kafka's jars. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { prepareKafkaJars } from '../src/broker/local-broker.ts'

const ROOT = join(import.meta.dirname, '..')
const VENV = join(ROOT, '.venv')
const REQUIREMENTS = ['examples/requirements.txt', 'test/requirements.txt']

/** The interpreter of the project's virtual environment, which is made, or made again, where the pins have changed. */
export async function preparePython(say: (message: string) => void): Promise<string> {
  const python = join(VENV, 'bin', 'python')
  const pins = await Promise.all(REQUIREMENTS.map(file => readFile(join(ROOT, file), 'utf8')))
  const digest = createHash('sha256').update(pins.join('\n')).digest('hex')
  const stamp = join(VENV, 'requirements.sha256')
  const made = await readFile(stamp, 'utf8').catch(() => null)
  if (made === digest && existsSync(python)) return python
  say(
    `making a virtual environment in .venv with ${pins
      .join(' ')
      .match(/^[a-z-]+==\S+/gm)
      ?.join(' and ')} (once)`,
  )
  await rm(VENV, { recursive: true, force: true })
  await command('python3', ['-m', 'venv', VENV], 'Is the Python package venv installed (python3-venv on Debian)?')
  const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', join(ROOT, REQUIREMENTS[1]!)]
  await command(python, install, 'Is the package index reachable?')
  await writeFile(stamp, digest)
  return python
}

async function command(file: string, args: readonly string[], hint: string): Promise<void> {
  try {
    await promisify(execFile)(file, [...args])
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string }
    throw new Error(`${file} ${args.slice(0, 3).join(' ')} failed: ${stderr?.trim() || message}\n${hint}`)
  }
}

if (import.meta.main) {
  const say = (message: string) => process.stderr.write(`prepare: ${message}\n`)
  try {
    await Promise.all([preparePython(say), prepareKafkaJars(say)])
  } catch (error) {
    say((error as Error).message)
    process.exitCode = 1
  }
}
