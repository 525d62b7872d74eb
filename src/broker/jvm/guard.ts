import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { RowmillError } from '../../errors.ts'
import { unlessAborted } from '../../support/abort.ts'
import { identify, killIfSame, type ProcessIdentity } from '../../support/process-identity.ts'

/**
 * A shell between rowmill and a long-running command. Its standard input is a pipe that only rowmill holds: when
 * rowmill is gone, however it went, the pipe ends, the command is killed and its directory removed.
 * Words on the pipe are signals for the command. It says `pid N` at first and `exit N` when the command has ended,
 * and stays until the pipe ends, so that rowmill can still read what the command wrote.
 */
const GUARD_SCRIPT = `
remove=$1 output=$2
shift 2
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
  /** Removed when the command is over and the guard closed, or rowmill dead. */
  readonly remove?: string | undefined
}

/** A command that does not outlive this process. */
export interface Guarded {
  readonly process: ProcessIdentity
  /** The exit status as a shell counts it (128 + signal), or null when the guard itself was killed. */
  readonly ended: Promise<number | null>
  signal(name: 'TERM'): void
  /** Kills the command if it still runs, removes its directory, and resolves when both are done. Twice is fine. */
  close(): Promise<void>
}

/**
 * Starts a command under a guard, in a session of its own: Ctrl-C in the terminal reaches rowmill only, which may
 * still need the command to finish its work.
 */
export async function startGuarded(options: GuardOptions): Promise<Guarded> {
  const { command, args, directory, output, remove = '' } = options
  const guard = spawn('/bin/sh', ['-c', GUARD_SCRIPT, 'rowmill-guard', remove, output, command, ...args], {
    cwd: directory,
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  if (guard.pid === undefined) {
    const [cause] = (await once(guard, 'error')) as [Error] // without a process it has no pipes either
    throw new RowmillError('BROKER_FAILED', `/bin/sh does not start: ${cause.message}`, {}, { cause })
  }
  // The guard may be gone before a word reaches it; `ended` tells.
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
  // No start time: it ended already, and `ended` says so.
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
  // Does something only where the guard was killed before it could do its duty.
  killIfSame(identity)
}

/** Waits for the end of a command, or rejects with the reason of `signal`. */
export function endOf({ ended }: Guarded, signal: AbortSignal): Promise<number | null> {
  return unlessAborted(ended, signal)
}
