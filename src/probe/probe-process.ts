/**
 * The probe of a job in its own process, started by probe.ts: whatever the classifier does here, the job continues. Its
 * output goes nowhere: the workers print the same. If the command ends, the process ends at once.
 */
import { openClassifier } from '../classifier/open.ts'
import { errorToRecord } from '../errors.ts'
import { endAllStarted } from '../support/started-processes.ts'
import { byKinds } from './cuts.ts'
import { judge } from './judge.ts'
import { FreshClassifier, judgeMemory } from './memory.ts'
import type { FromProbe, ProbeArguments, ToProbe } from './probe.ts'
import { TimedTrials } from './timed-trials.ts'
import { Trials } from './trials.ts'

const { target, python, batchTimeout, classifierMemory } = JSON.parse(process.argv[2]!) as ProbeArguments
const opening = { target, python, by: 'probe', memoryMB: classifierMemory, onOutput: () => {} }
const classifier = new FreshClassifier(() => openClassifier(opening))
const started = classifier.start()
started.catch(() => {}) // told by the first answer

process.on('disconnect', () => {
  endAllStarted()
  process.exit(1)
})
// A terminal sends these to all processes. The command decides what they mean.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

let last: Promise<void> = Promise.resolve()
process.on('message', (message: ToProbe) => {
  last = last.then(() => answer(message)).then(tell)
})

let isFirst = true
async function answer({ job, sample, batches }: ToProbe): Promise<FromProbe> {
  const trials = new TimedTrials(new Trials({ classifier, job, timeoutMs: batchTimeout * 1000 }))
  try {
    await started
    const startedAt = performance.now()
    const judgement = await judge(trials, { job, sample, ...(batches && { cuts: [byKinds(batches)] }) })
    const asksMemory = isFirst && batches === null
    const remembered = asksMemory ? await judgeMemory(judgement, { classifier, trials, job, sample }) : judgement
    isFirst &&= !asksMemory
    return { ...remembered, calls: trials.calls, seconds: (performance.now() - startedAt) / 1000 }
  } catch (error) {
    return { error: errorToRecord(error) }
  }
}

function tell(answer: FromProbe): void {
  if (process.connected) process.send!(answer)
}
