import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { firstDifference } from '../scripts/compare-files.ts'
import { LiveRows } from './live-rows.ts'
import { ended, start } from './recovery.ts'

const ROOT = join(import.meta.dirname, '..')
/** Number of small jobs in a row, and the pause before each, as if somebody looked at the last result. */
const JOBS = 4
const PAUSE_MS = 500

export interface FairnessOptions {
  readonly python: string
  readonly broker: string
  /** A file of rows that takes far longer than the small jobs, the small file, and the expected output of each. */
  readonly large: string
  readonly small: string
  readonly expected: string
  readonly output: string
  readonly pipeline: string
  readonly rounds: number
}

/** Alone on a pipeline, or during a large job: seconds of each small job, milliseconds of each event. */
export interface Fairness {
  readonly jobs: number[]
  readonly events: number[]
}

/**
 * Measures small jobs and live events on a pipeline of two workers, in turn alone and during a large job that was
 * published before. All options have their defaults.
 */
export async function measureFairness(options: FairnessOptions): Promise<{ alone: Fairness; beside: Fairness }> {
  const { python, broker, large, output, pipeline, rounds } = options
  const shared = ['--brokers', broker, '--pipeline', pipeline, '--quiet']
  const classifier = ['--python', python, '--classifier', join(ROOT, 'examples/black_box.py')]
  const working = start(['work', ...classifier, '--workers', '2', ...shared])
  const [alone, beside]: [Fairness, Fairness] = [
    { jobs: [], events: [] },
    { jobs: [], events: [] },
  ]
  try {
    await measureJob('warm', options)
    for (let round = 1; round <= rounds; round++) {
      await measure(`alone-${round}`, options, alone)
      await ended(start(['publish', large, '--python', python, '--job', `large-${round}`, ...shared]))
      const collecting = start(['collect', `${output}-large`, '--force', '--job', `large-${round}`, ...shared])
      await measure(`beside-${round}`, options, beside)
      if (collecting.exitCode !== null) throw new Error('the large job completed before the small ones')
      await ended(collecting)
    }
    return { alone, beside }
  } finally {
    working.kill('SIGTERM')
    await ended(working)
  }
}

async function measure(name: string, options: FairnessOptions, { jobs, events }: Fairness): Promise<void> {
  const live = await LiveRows.start(options.broker, options.pipeline, `live-${name}`)
  for (let job = 1; job <= JOBS; job++) {
    await sleep(PAUSE_MS)
    jobs.push(await measureJob(`${name}-${job}`, options))
  }
  events.push(...(await live.stop()))
}

/** Seconds from the commands that publish and collect a small job until the file is there. */
async function measureJob(job: string, { python, broker, small, expected, output, pipeline }: FairnessOptions) {
  const shared = ['--job', job, '--brokers', broker, '--pipeline', pipeline, '--quiet']
  const began = performance.now()
  const commands = [
    start(['publish', small, '--python', python, ...shared]),
    start(['collect', output, '--force', ...shared]),
  ]
  await Promise.all(commands.map(ended))
  const seconds = (performance.now() - began) / 1000
  const difference = await firstDifference(expected, output)
  if (difference) throw new Error(`job ${job}: the output differs, ${difference}`)
  return seconds
}
