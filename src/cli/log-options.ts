/** The options of every command that logs. */
export const LOG_OPTIONS = ['quiet', 'logFormat', 'logLevel'] as const
