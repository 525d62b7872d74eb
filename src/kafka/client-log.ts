import type { logCreator as LogCreator, Logger } from 'kafkajs'
import { createLogger, LEVELS } from 'kafkajs/src/loggers/index.js'
import { RateBound } from '../support/rate-bound.ts'
import type { LogFacts, Say } from '../support/say.ts'

/** KafkaJS logs every request. */
const LINES_A_SECOND = 20

const FACTS: LogFacts = { level: 'debug', source: 'kafkajs' }

/**
 * A logger for KafkaJS. It also logs errors that it retries, and rowmill logs what of them a user has to know, so its lines
 * are for debugging. Null: it is silent.
 */
export function clientLogger(say: Say | null): Logger {
  if (say === null) return createLogger({ level: LEVELS.NOTHING, logCreator: () => () => {} })
  // So many requests hide no error.
  const [requests, others] = [new RateBound(say, LINES_A_SECOND), new RateBound(say, LINES_A_SECOND)]
  const logCreator: LogCreator = () => entry => {
    const { namespace, level, log } = entry
    const bound = level === LEVELS.DEBUG ? requests : others
    const at = typeof log['broker'] === 'string' ? ` (${log['broker']})` : ''
    bound.say(`kafkajs: ${namespace}: ${log.message}${at}`, FACTS, 'lines of kafkajs')
  }
  return createLogger({ level: LEVELS.DEBUG, logCreator })
}
