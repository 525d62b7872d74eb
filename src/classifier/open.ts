import type { BatchClassifier } from './boundary.ts'
import { decoding } from './decoding.ts'
import { ModuleClassifier } from './module/module.ts'
import { moduleTarget } from './module/module-target.ts'
import { PythonClassifier } from './python/python.ts'

export interface OpenClassifierOptions {
  /** `FILE[:NAME]` or `package.module:NAME`; a FILE that ends in .ts, .js, .mts, .mjs, .cts or .cjs is no Python. */
  readonly target: string
  /** The interpreter of a Python classifier. */
  readonly python: string
  /** The worker it classifies for. */
  readonly by: string
  /** What the classifier may take of memory, in MB; null: no limit. */
  readonly memoryMB: number | null
  /** Gets what the user's code printed, whole lines with their ends. */
  readonly onOutput: (text: string) => void
}

/** The host that fits the classifier; not started yet. */
export function openClassifier({ target, python, by, memoryMB, onOutput }: OpenClassifierOptions): BatchClassifier {
  const module = moduleTarget(target)
  if (module) return new ModuleClassifier({ ...module, by, memoryMB, onOutput })
  return decoding(new PythonClassifier({ python, target, memoryMB, onOutput }), by)
}
