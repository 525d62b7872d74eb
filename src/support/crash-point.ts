import { openSync } from 'node:fs'

/**
 * `NAME:N FILE`: the process dies on its Nth visit, unless FILE exists. It creates FILE first.
 * `NAME=TEXT`: the process dies on each visit with bytes that contain TEXT.
 */
const wanted = /^([a-z-]+):(\d+) (.+)$/.exec(process.env['ROWMILL_CRASH'] ?? '')
const fatal = /^([a-z-]+)=(.+)$/.exec(process.env['ROWMILL_CRASH'] ?? '')
let times = 0

/**
 * A place where tests kill the process as `kill -9` does: no handler and no `finally` runs. Without ROWMILL_CRASH, which
 * only tests set, it does nothing.
 */
export function crashPoint(name: CrashPoint, bytes: Buffer | null = null): void {
  if (fatal !== null && fatal[1] === name && bytes?.includes(fatal[2]!)) die()
  if (wanted === null || wanted[1] !== name || ++times < Number(wanted[2])) return
  try {
    openSync(wanted[3]!, 'wx')
  } catch {
    return // it has died here before
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
  | 'lent-classified'
  | 'result-acked'
  | 'committed'
  | 'rows-written'
  | 'rows-flushed'
  | 'checkpointed'
  | 'output-named'
  | 'run-complete'
  | 'job-removed'
