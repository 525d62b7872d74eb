/**
 * The probe of a job with a TypeScript or JavaScript classifier, in its own process, started by probe.ts: whatever the
 * classifier does here, the job continues. If the command ends, the process ends at once.
 */
import { errorToRecord } from '../errors.ts'
import { endAllStarted } from '../support/started-processes.ts'
import type { FromProbe, ToProbe } from './probe.ts'
import { type ProbeArguments, Prober } from './prober.ts'

const prober = new Prober(JSON.parse(process.argv[2]!) as ProbeArguments)

process.on('disconnect', () => {
  endAllStarted()
  process.exit(1)
})
// A terminal sends these to all processes. The command decides what they mean.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

process.on('message', ({ job, sample, how }: ToProbe) => {
  prober.judge(job, sample, how).then(tell, error => tell({ error: errorToRecord(error) }))
})

function tell(answer: FromProbe): void {
  if (process.connected) process.send!(answer)
}
