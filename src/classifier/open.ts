import type { BatchClassifier } from './boundary.ts'
import { decoding } from './decoding.ts'
import { ModuleClassifier } from './module/module.ts'
import { moduleTarget } from './module/module-target.ts'
import { PythonClassifier } from './python/python.ts'

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
  readonly onOutput: (text: string) => void
}

/** Creates the host for the classifier. It is not started yet. */
export function openClassifier({ target, python, by, memoryMB, onOutput }: OpenClassifierOptions): BatchClassifier {
  const module = moduleTarget(target)
  if (module) return new ModuleClassifier({ ...module, by, memoryMB, onOutput })
  return decoding(new PythonClassifier({ python, target, memoryMB, onOutput }), by)
}
