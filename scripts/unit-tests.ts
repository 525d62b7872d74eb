/**
 * Runs the unit tests: one process for each core, up to four, each with its share of the files. All tests of a process
 * share it, since starting Node for each file would take longer than the tests.
 * npm run test:unit -- [options of node --test, such as --test-name-pattern=PATTERN]
 */
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')
const MOST_PROCESSES = 4

const processes = Math.min(MOST_PROCESSES, availableParallelism())
const given = process.argv.slice(2)

/** Resolves with the exit code. Prints the output at the end, or the reports would mix. */
async function runShare(share: number): Promise<number> {
  const cache = ['--import', join(ROOT, 'test/helpers/compile-cache.ts')]
  const options = ['--test', '--test-isolation=none', '--test-timeout=60000', `--test-shard=${share}/${processes}`]
  const child = spawn(process.execPath, [...cache, ...options, ...given, 'test/**/*.test.ts'], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  const code = await new Promise<number>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', code => resolve(code ?? 1))
  })
  process.stdout.write(Buffer.concat(chunks))
  return code
}

const codes = await Promise.all(Array.from({ length: processes }, (_, share) => runShare(share + 1)))
process.exitCode = Math.max(...codes)
