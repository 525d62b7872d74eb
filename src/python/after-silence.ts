import type { Time } from '../support/clock.ts'

/** Calls `then` unless the answer comes within `ms`. The answer must not reject. */
export function afterSilence(
  answer: Promise<unknown>,
  then: () => void,
  { ms, time }: { readonly ms: number; readonly time: Time },
): void {
  let isAnswered = false
  // If this process was stopped too, the answer may be there, not read yet.
  const stopClock = time.after(ms, () => setImmediate(() => isAnswered || then()))
  void answer.then(() => {
    isAnswered = true
    stopClock()
  })
}
