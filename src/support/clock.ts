import { setTimeout as sleep } from 'node:timers/promises'

/** Milliseconds from any fixed moment. Only differences mean something. */
export type Clock = () => number

/**
 * The clock for durations. The wall clock (Date.now) leaps when the machine's time is set: an outage of a second would
 * then last an hour, or never end. Date.now is for moments that people or other machines read.
 */
export const monotonicMs: Clock = () => performance.now()

/** How time passes. What waits takes it as an option, so that a test of it need not wait. */
export interface Time {
  readonly now: Clock
  /** Resolves after `ms`, or as soon as `signal` aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Calls `call` once after `ms`, unless the returned function is called before. */
  after(ms: number, call: () => void): () => void
  /** Calls `call` every `ms` until the returned function is called. It keeps no process alive. */
  every(ms: number, call: () => void): () => void
}

export const realTime: Time = {
  now: monotonicMs,
  sleep: (ms, signal) => sleep(ms, undefined, signal ? { signal } : {}).catch(() => {}),
  after: (ms, call) => {
    const timer = setTimeout(call, ms)
    return () => clearTimeout(timer)
  },
  every: (ms, call) => {
    const timer = setInterval(call, ms).unref()
    return () => clearInterval(timer)
  },
}
