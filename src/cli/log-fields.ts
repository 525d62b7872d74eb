import type { LogFacts } from '../support/say.ts'
import type { JsonShape } from './json-output.ts'

/** What a line in JSON has besides its time and its message. */
export interface LogFields extends LogFacts {
  readonly command?: string
  readonly exitCode?: number
  readonly signal?: string
  readonly resume?: string
  readonly again?: string
  readonly cure?: string
  readonly stack?: string
  readonly facts?: Readonly<Record<string, unknown>>
  readonly progress?: Readonly<Record<string, unknown>>
}

/** The fields of a line of `--log-format json`. docs/logs.md shows the same. None is null: what is not known is left out. */
export const LOG_LINE = {
  line: 'each message',
  fields: {
    level: '`error` (it ended the command), `warn` (somebody should look at it), `info` or `debug`',
    time: 'when the line was written, in UTC, as ISO 8601',
    source:
      "who said it: `rowmill`; `classifier`, what the user's code printed; `kafkajs`, the client of Kafka; `node`, a warning of Node; `process`, what else one of its processes printed, such as a library",
    command: 'the command, such as `jobs list`',
    job: 'the id of the job',
    pipeline: 'the pipeline',
    topic: 'the topic of Kafka',
    partition: 'its partition',
    offset: 'the offset of a message in it',
    worker: 'the worker, `HOST-PID-NUMBER`',
    code: 'a code of [errors.md](errors.md): what `rowmill explain` takes',
    exitCode: 'the exit code of the command, in the line of the error that ended it',
    signal: 'the signal that ended it',
    resume: 'the command that resumes the job',
    again: 'the command that starts it again from the first row',
    cure: 'how the job continues once its classifier is repaired',
    stack: 'where in rowmill an error arose that nobody expected',
    facts: 'an object: what else the error tells programs, such as `path` or `line`',
    progress: 'an object with the rows so far, in the line about the progress that comes every 5 s',
    msg: 'the message, in words; the log in text has the same',
  } satisfies Record<keyof LogFields | 'time' | 'msg', string>,
} as const satisfies JsonShape
