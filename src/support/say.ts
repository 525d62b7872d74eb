/** From the most to the least important. */
export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** What a line of the log is about, for programs. The message tells the same to people. What is not known is left out. */
export interface LogFacts {
  /** Default: info. */
  readonly level?: LogLevel
  readonly job?: string
  readonly pipeline?: string
  readonly topic?: string
  readonly partition?: number
  readonly offset?: number
  /** As in results: `HOST-PID-NUMBER`. */
  readonly worker?: string
  /** A code of docs/errors.md. */
  readonly code?: string
  /** Who said it. Default: rowmill. */
  readonly source?: LogSource
}

/** `node`: a warning of Node, or what ended one of its processes. `process`: what one of our processes printed otherwise. */
export type LogSource = 'rowmill' | 'classifier' | 'kafkajs' | 'node' | 'process'

/** Logs one message for the person at the terminal. `facts` are for programs that read the log. */
export type Say = (message: string, facts?: LogFacts) => void

/** Shows what the user's code printed: whole lines with their line ends. */
export type ShowOutput = (text: string, facts?: LogFacts) => void
