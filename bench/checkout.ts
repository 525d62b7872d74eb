import { execFile } from 'node:child_process'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { ROOT } from './contenders.ts'

const run = promisify(execFile)

/** A commit of rowmill, ready to run. */
export interface Checkout {
  readonly root: string
  /** What follows the name of a contender that runs it: ` of a1317a7`. */
  readonly label: string
  close(): Promise<void>
}

/** Checks a commit out into `folder`, as a worktree of this clone, and installs its packages. */
export async function openCheckout(commit: string, folder: string, say: (text: string) => void): Promise<Checkout> {
  const git = (...args: string[]) => run('git', ['-C', ROOT, ...args])
  const { stdout } = await git('rev-parse', '--short', `${commit}^{commit}`)
  const [short, root] = [stdout.trim(), join(folder, 'beside')]
  say(`checking ${short} out and installing its packages`)
  await git('worktree', 'add', '--detach', root, short)
  const close = async () => void (await git('worktree', 'remove', '--force', root))
  try {
    // npm runs under the Node that comes first.
    const env = { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH']}` }
    await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: root, env })
  } catch (error) {
    await close()
    throw error
  }
  return { root, label: ` of ${short}`, close }
}
