import { openSync } from 'node:fs'

/**
 * `NAME:N FILE`: the process ends at the Nth time it comes to this place, unless FILE is there; it makes the file first.
 * `NAME=TEXT`: it ends each time that it comes to this place with bytes in which TEXT stands.
 */
const wanted = /^([a-z-]+):(\d+) (.+)$/.exec(process.env['ROWMILL_CRASH'] ?? '')
const fatal = /^([a-z-]+)=(.+)$/.exec(process.env['ROWMILL_CRASH'] ?? '')
let times = 0

/**
 * A place where the tests end the process as `kill -9` does: no handler and no `finally` runs. Where nothing is asked for,
 * which is always but in the tests, it does nothing.
 */
export function crashPoint(name: CrashPoint, bytes: Buffer | null = null): void {
  if (fatal !== null && fatal[1] === name && bytes?.includes(fatal[2]!)) die()
  if (wanted === null || wanted[1] !== name || ++times < Number(wanted[2])) return
  try {
    openSync(wanted[3]!, 'wx')
  } catch {
    return // it has ended here once
  }
  die()
}

function die(): never {
  process.kill(process.pid, 'SIGKILL')
  for (;;); // the signal is on its way
}

export type CrashPoint =
  | 'topics-there'
  | 'job-opened'
  | 'rows-acked'
  | 'epoch-claimed'
  | 'barrier-acked'
  | 'barriers-acked'
  | 'event-acked'
  | 'event-safe'
  | 'job-ended'
  | 'marked'
  | 'end-acked'
  | 'ends-acked'
  | 'message-taken'
  | 'batch-classified'
  | 'result-acked'
  | 'committed'
  | 'rows-written'
  | 'rows-flushed'
  | 'checkpointed'
  | 'output-named'
  | 'run-complete'
