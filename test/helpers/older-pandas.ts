import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { prepareVenv } from '../../scripts/prepare-machine.ts'
import { startProgram } from './cli.ts'

export interface OlderPandas {
  readonly version: string
  /** The newest Python that this pandas has a wheel for. */
  readonly newestPython: readonly [major: number, minor: number]
}

/** The last release of each older major version. Their pins are in test/requirements-pandas-VERSION.txt. */
export const OLDER_PANDAS: readonly OlderPandas[] = [
  { version: '2.3.3', newestPython: [3, 14] },
  { version: '1.5.3', newestPython: [3, 11] },
]

/** Why the Python of this machine can have no such pandas. Null: it can. */
export function reasonAgainst({ version, newestPython }: OlderPandas): string | null {
  const script = 'import sys; print(*sys.version_info[:2])'
  const [major = 0, minor = 0] = execFileSync('python3', ['-c', script], { encoding: 'utf8' }).split(' ').map(Number)
  const isNewer = major > newestPython[0] || (major === newestPython[0] && minor > newestPython[1])
  return isNewer ? `pandas ${version} has no wheel for Python ${major}.${minor}` : null
}

/** The interpreter with that pandas. Its virtual environment is made once, in a folder of the clone that git ignores. */
export function prepareOlderPandas({ version }: OlderPandas): Promise<string> {
  const say = (message: string) => process.stderr.write(`${message}\n`)
  return prepareVenv(`.venvs/pandas-${version}`, [`test/requirements-pandas-${version}.txt`], say)
}

/** Runs those tests of a file, by its path in the folder test, whose names match. Their pandas is that of this interpreter. */
export async function passUnder(interpreter: string, file: string, pattern = '.'): Promise<void> {
  const env = { ROWMILL_TEST_PYTHON: interpreter, NODE_TEST_CONTEXT: undefined }
  const args = ['--test', `--test-name-pattern=${pattern}`, join(import.meta.dirname, '..', file)]
  const { code, stdout } = await startProgram(process.execPath, args, { env }).finished
  assert.equal(code, 0, stdout)
}
