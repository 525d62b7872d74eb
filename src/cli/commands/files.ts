import type { CommandSpec } from '../command.ts'

/** What the commands of a group have in common: the first word of their names. */
export const GROUPS: Readonly<Record<string, string>> = {
  rejects: 'the rows of a job that have no result: list, export or replay them',
  topics: 'the topics of a pipeline: plan them, create them, check them',
  jobs: 'the jobs of a pipeline: open one for events, list them, cancel or remove them',
}

/** The commands that begin with a word. Each loads what it needs: all commands together take 50 ms of CPU time more. */
const FILES: Readonly<Record<string, () => Promise<readonly CommandSpec[]>>> = {
  run: async () => [(await import('./run.ts')).runCommand],
  check: async () => [(await import('./check.ts')).checkCommand],
  publish: async () => [(await import('./publish.ts')).publishCommand],
  work: async () => [(await import('./work.ts')).workCommand],
  collect: async () => [(await import('./collect.ts')).collectCommand],
  status: async () => [(await import('./status.ts')).statusCommand],
  tail: async () => [(await import('./tail.ts')).tailCommand],
  verify: async () => [(await import('./verify.ts')).verifyCommand],
  rejects: async () => (await import('./rejects.ts')).rejectsCommands,
  jobs: async () => [...(await import('./jobs.ts')).jobsCommands, (await import('./jobs-rm.ts')).jobsRemoveCommand],
  topics: async () => (await import('./topics.ts')).topicsCommands,
  acls: async () => [(await import('./acls.ts')).aclsCommand],
  monitor: async () => [(await import('./monitor.ts')).monitorCommand],
  broker: async () => [(await import('./broker.ts')).brokerCommand],
  adopt: async () => [(await import('./adopt.ts')).adoptCommand],
  doctor: async () => [(await import('./doctor.ts')).doctorCommand],
  explain: async () => [(await import('./explain.ts')).explainCommand],
}

/** The commands that begin with this word, or null where it takes all commands to answer. */
export async function commandsOf(word: string | undefined): Promise<readonly CommandSpec[] | null> {
  return word !== undefined && Object.hasOwn(FILES, word) ? FILES[word]!() : null
}
