import { type Job, type JobOption, optionOf } from './model.ts'

/** What is for ever the same of a job. */
export type JobHeader = Pick<Job, 'columns' | 'indexKind' | 'options'>

/** How a job was begun otherwise than it would be now, in words that complete "job x exists already, ", or null. */
export function describeDifference(begun: JobHeader, now: JobHeader): string | null {
  const [before, given] = [JSON.stringify(begun.columns), JSON.stringify(now.columns)]
  if (before !== given) return `begun with other columns: ${before}, and these are ${given}`
  const differing = differences(withIndexKind(begun), withIndexKind(now))
  return differing.length > 0 ? `begun with other options (${differing.join('; ')})` : null
}

function withIndexKind({ options, indexKind }: JobHeader): JobOption[] {
  return [...options, { name: 'indexKind', value: `${indexKind}` }]
}

/** What no user chose: the Python of the machine that began the job did, and it holds for the whole job. */
const FOUND_OUT = 'quotesCarriageReturn'

function differences(before: readonly JobOption[], now: readonly JobOption[]): string[] {
  const names = new Set([...before, ...now].map(({ name }) => name))
  return [...names]
    .filter(name => name !== FOUND_OUT && optionOf(before, name) !== optionOf(now, name))
    .map(name => `${name} was ${optionOf(before, name) ?? 'not given'}, now ${optionOf(now, name) ?? 'not given'}`)
}
