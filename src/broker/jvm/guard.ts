import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { RowmillError } from '../../errors.ts'
import { unlessAborted } from '../../support/abort.ts'
import { identify, killIfSame, type ProcessIdentity } from '../../support/process-identity.ts'

/**
 * A shell between rowmill and a long-running command. Its standard input is a pipe that only rowmill holds. When rowmill
 * ends, however it ends, the pipe ends too: the shell then kills the command and removes its directory.
 *
 * A word on the pipe is a signal for the command. The shell prints `pid N` first, and `exit N` when the command has ended.
 * It stays until the pipe ends, so that rowmill can still read what the command wrote.
 */
const GUARD_SCRIPT = `
remove=$1 output=$2
[ -z "$3" ] || umask "$3"
shift 3
exec 3<&0 </dev/null
"$@" >>"$output" 2>&1 3<&- &
child=$!
trap '' PIPE
trap : HUP INT TERM
echo "pid $child"
(
  while read -r signal <&3; do kill -s "$signal" "$child"; done
  kill -s KILL "$child"
) >/dev/null 2>&1 &
watcher=$!
while :; do
  wait "$child"
  status=$?
  kill -0 "$child" 2>/dev/null || break
done
kill -s KILL "$watcher"
echo "exit $status"
cat <&3 >/dev/null
[ -z "$remove" ] || rm -rf -- "$remove"
`

export interface GuardOptions {
  readonly command: string
  readonly args: readonly string[]
  /** Working directory of the command. */
  readonly directory: string
  /** Where the command's standard output and error are appended. */
  readonly output: string
  /** A folder to remove when the guard is closed after the command, or when rowmill has died. */
  readonly remove?: string | undefined
  /** Whether only this user may read what the command writes. Default: as the umask of this process says. */
  readonly isPrivate?: boolean
}

/** A command that does not outlive this process. */
export interface Guarded {
  readonly process: ProcessIdentity
  /** The exit status as in a shell (128 + signal), or null if the guard itself was killed. */
  readonly ended: Promise<number | null>
  signal(name: 'TERM'): void
  /** Kills the command if it still runs, and removes its folder. Resolves after both. May be called more than once. */
  close(): Promise<void>
}

/**
 * Starts a command under a guard, in its own session. So Ctrl-C in the terminal reaches only rowmill, which may still need
 * the command to finish its work.
 */
export async function startGuarded(options: GuardOptions): Promise<Guarded> {
  const { command, args, directory, output, remove = '', isPrivate = false } = options
  const umask = isPrivate ? '077' : ''
  const guard = spawn('/bin/sh', ['-c', GUARD_SCRIPT, 'rowmill-guard', remove, output, umask, command, ...args], {
    cwd: directory,
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  if (guard.pid === undefined) {
    const [cause] = (await once(guard, 'error')) as [Error] // without a process there are no pipes
    throw new RowmillError('BROKER_FAILED', `/bin/sh does not start: ${cause.message}`, {}, { cause })
  }
  // The guard may end before a word reaches it. `ended` reports that.
  guard.stdin.on('error', () => {})
  const gone = once(guard, 'close').then(() => null)
  const lines = new Map<string, (value: number) => void>()
  const said = (word: string) => new Promise<number>(resolve => lines.set(word, resolve))
  const pidSaid = said('pid')
  const ended = Promise.race([said('exit'), gone]).catch(() => null)
  createInterface({ input: guard.stdout }).on('line', line => {
    const [word = '', value] = line.split(' ')
    lines.get(word)?.(Number(value))
  })
  const pid = await Promise.race([pidSaid, gone])
  if (pid === null) throw new RowmillError('BROKER_FAILED', `/bin/sh ended before it started ${command}`, { command })
  // Without a start time it has ended already, and `ended` reports that.
  const identity = identify(pid) ?? { pid, start: '' }
  let closing: Promise<void> | null = null
  return {
    process: identity,
    ended,
    signal: name => {
      guard.stdin.write(`${name}\n`)
    },
    close: () => {
      closing ??= close(guard, gone, identity)
      return closing
    },
  }
}

async function close(guard: ChildProcess, gone: Promise<null>, identity: ProcessIdentity): Promise<void> {
  guard.stdin?.end()
  await gone
  // This matters only if the guard was killed before it could kill the command.
  killIfSame(identity)
}

/** Waits for the end of a command, or rejects with the reason of `signal`. */
export function endOf({ ended }: Guarded, signal: AbortSignal): Promise<number | null> {
  return unlessAborted(ended, signal)
}
