import { OPTIONS } from '../src/options.ts'

/** The environment in which a run ends its local Kafka, where it would keep it otherwise. */
export function endsWithItsRun(): Record<string, string> {
  return keepsBroker() ? { ROWMILL_NO_KEEP: '1' } : {}
}

/** Whether a run leaves its local Kafka for the next one. */
export function keepsBroker(): boolean {
  return Object.values(OPTIONS).some(({ flag }) => /\bkeep\b/.test(flag))
}
