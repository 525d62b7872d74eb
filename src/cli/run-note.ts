import { resolve } from 'node:path'
import type { ClientInput } from '../options.ts'
import type { RunSettings, UnfinishedRun } from '../run/run-options.ts'
import { logAbout } from './log.ts'
import { noteLater } from './note-later.ts'
import { publicProperties } from './public-properties.ts'

interface RunNote {
  /** For the run. */
  readonly hooks: Pick<RunSettings, 'onNamed' | 'onBrokers'>
  close(): Promise<void>
}

/** Names a run in its log lines, and notes it for `rowmill status`. A kept broker has notes of its own. */
export function noteRun(output: string, property: readonly ClientInput[]): RunNote {
  let named: UnfinishedRun | null = null
  let note: ReturnType<typeof noteLater> | null = null
  return {
    hooks: {
      onNamed({ job, pipeline }) {
        named = { job, pipeline }
        logAbout({ job, pipeline })
      },
      onBrokers(clientConfig) {
        const cluster = clientConfig === null ? publicProperties(property) : [{ file: clientConfig }]
        note = noteLater({ command: 'run', output: output === '-' ? '-' : resolve(output), ...named!, cluster })
      },
    },
    close: async () => note?.close(),
  }
}
