import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { findJava, findMaven } from '../broker/jvm/java.ts'
import { describeRoom, requireOpenFiles, SMALL_PIPELINE } from '../broker/jvm/open-files-needed.ts'
import { RowmillError } from '../errors.ts'
import { COMPRESSIONS } from '../options.ts'
import { openFilesAdvice } from '../support/open-files.ts'
import { type Check, type CheckFinding, type DoctorContext, failure, ok, warning } from './check.ts'

const OLDEST_NODE = [22, 18] as const
const OLDEST_PYTHON = [3, 8] as const
const OLDEST_PANDAS = [1, 5] as const
/** Enough for the commands themselves. A local broker needs more. */
const FEW_FILES = 256
const LIMIT_MS = 10_000
/** Loading pandas from a cold disk takes long. */
const PYTHON_LIMIT_MS = 60_000

const node: Check = {
  name: 'node',
  needs: [],
  limitMs: LIMIT_MS,
  run: async ({ machine: { nodeVersion } }) =>
    isOlder(nodeVersion, OLDEST_NODE)
      ? failure(`Node ${nodeVersion}`, `install Node ${OLDEST_NODE.join('.')} or later`)
      : ok(`Node ${nodeVersion}`),
}

const java: Check = {
  name: 'java',
  needs: [],
  limitMs: LIMIT_MS,
  run: context => forLocalBroker(context, async env => (await findJava(env)).command),
}

const maven: Check = {
  name: 'maven',
  needs: [],
  limitMs: LIMIT_MS,
  run: context => forLocalBroker(context, findMaven),
}

/** Only the broker that rowmill starts itself needs Java and Maven, and a container can replace both. */
async function forLocalBroker(
  { machine, cluster }: DoctorContext,
  find: (env: NodeJS.ProcessEnv) => Promise<string>,
): Promise<CheckFinding> {
  try {
    return ok(await find(machine.env))
  } catch (error) {
    if (!(error instanceof RowmillError)) throw error
    if (cluster) return ok('not found; with --brokers nothing needs it')
    const end = error.message.indexOf('. ') // two sentences: the fault, and the ways out
    return warning(error.message.slice(0, end), error.message.slice(end + 2))
  }
}

const QUESTION = 'import platform; print(platform.python_version()); import pandas; print(pandas.__version__)'
const PYTHON_CURE =
  'name a Python that has pandas with --python PATH, or make one: ' +
  'python3 -m venv .venv && .venv/bin/pip install pandas, and then --python .venv/bin/python'

const python: Check = {
  name: 'python',
  needs: [],
  limitMs: PYTHON_LIMIT_MS,
  async run({ machine: { env }, python }, signal) {
    let printed: string
    try {
      printed = (await promisify(execFile)(python, ['-c', QUESTION], { env, signal })).stdout
    } catch (error) {
      const { code, stderr = '', message } = error as NodeJS.ErrnoException & { stderr?: string }
      if (code === 'ENOENT')
        return failure(`there is no ${python}${python.includes('/') ? '' : ' on PATH'}`, PYTHON_CURE)
      if (stderr.includes("No module named 'pandas'")) return failure(`${python} has no pandas`, PYTHON_CURE)
      return failure(`${python} does not work: ${stderr.trim().split('\n').at(-1) || message}`, PYTHON_CURE)
    }
    const [version = '', pandas = ''] = printed.trim().split('\n')
    const found = `${python} is Python ${version} with pandas ${pandas}`
    const isOld = isOlder(version, OLDEST_PYTHON) || isOlder(pandas, OLDEST_PANDAS)
    const oldest = `Python ${OLDEST_PYTHON.join('.')} and pandas ${OLDEST_PANDAS.join('.')} are the oldest that work`
    return isOld ? failure(found, `${oldest}; ${PYTHON_CURE}`) : ok(found)
  },
}

const openFiles: Check = {
  name: 'open-files',
  needs: [],
  limitMs: LIMIT_MS,
  async run({ machine: { openFiles: limit }, cluster }) {
    if (limit === null) return ok('this system does not tell its limit')
    const text = `a process may open ${limit} files`
    if (cluster) return limit < FEW_FILES ? warning(text, openFilesAdvice(limit)) : ok(text)
    try {
      requireOpenFiles(SMALL_PIPELINE, limit)
      const room = describeRoom(SMALL_PIPELINE, limit)
      return room === null ? ok(text) : warning(text, room)
    } catch (error) {
      return failure(text, (error as Error).message)
    }
  },
}

const codecs: Check = {
  name: 'codecs',
  needs: [],
  limitMs: LIMIT_MS,
  async run({ machine }) {
    const missing = COMPRESSIONS.filter(codec => {
      try {
        machine.checkCodec(codec)
        return false
      } catch {
        return true
      }
    })
    const has = COMPRESSIONS.filter(codec => codec !== 'none' && !missing.includes(codec))
    if (missing.length === 0) return ok(has.join(', '))
    return warning(
      `this machine has no ${missing.join(' and no ')}`,
      `let no producer use it, or run rowmill on a platform that has it. It has ${has.join(', ')}`,
    )
  },
}

/** Whether `version` is below `oldest`. Only major and minor count. */
function isOlder(version: string, [major, minor]: readonly [number, number]): boolean {
  const [a = 0, b = 0] = version.split('.').map(part => Number.parseInt(part, 10))
  return a < major || (a === major && b < minor)
}

export const MACHINE_CHECKS: readonly Check[] = [node, java, maven, python, openFiles, codecs]
