import type { ForkServer, ForkServerOptions } from '../python/fork-server.ts'
import type { ForkServerAddress } from '../python/forked-process.ts'
import type { ShowOutput } from '../support/say.ts'
import type { BatchClassifier } from './boundary.ts'
import { decoding } from './decoding.ts'
import { ModuleClassifier } from './module/module.ts'
import { moduleTarget } from './module/module-target.ts'
import { PythonClassifier, startForkServer } from './python/python.ts'

export interface OpenClassifierOptions {
  /** `FILE[:NAME]` or `package.module:NAME`. It is Python unless FILE ends in .ts, .js, .mts, .mjs, .cts or .cjs. */
  readonly target: string
  /** The interpreter of a Python classifier. */
  readonly python: string
  /** The name of the worker. */
  readonly by: string
  /** How much memory the classifier may use, in MB. Null: no limit. */
  readonly memoryMB: number | null
  /** Called with what the user's code printed, in whole lines with their line ends. */
  readonly onOutput: ShowOutput
  /** The address of a server of `openForkServer`, or null: each Python is started by itself. Default: null. */
  readonly forks?: Promise<ForkServerAddress | null> | null
}

type ForkServerSettings = Pick<OpenClassifierOptions, 'target' | 'python'> & Pick<ForkServerOptions, 'say' | 'time'>

/** Creates the host for the classifier. It is not started yet. */
export function openClassifier({
  target,
  python,
  by,
  memoryMB,
  onOutput,
  forks,
}: OpenClassifierOptions): BatchClassifier {
  const module = moduleTarget(target)
  if (module) return new ModuleClassifier({ ...module, by, memoryMB, onOutput })
  return decoding(new PythonClassifier({ python, target, memoryMB, onOutput, forks: forks ?? null }), by)
}

/**
 * One import of pandas for all classifiers of this target. Null: its processes cannot be forked. Close it after them. If it
 * cannot serve because somebody stopped or killed it, `say` is told.
 */
export function openForkServer(options: ForkServerSettings): ForkServer | null {
  return moduleTarget(options.target) ? null : startForkServer(options)
}
