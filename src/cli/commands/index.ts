import type { CommandSpec } from '../command.ts'
import { aclsCommand } from './acls.ts'
import { adoptCommand } from './adopt.ts'
import { brokerCommand } from './broker.ts'
import { checkCommand } from './check.ts'
import { collectCommand } from './collect.ts'
import { completionCommand } from './completion.ts'
import { doctorCommand } from './doctor.ts'
import { explainCommand } from './explain.ts'
import { jobsCommands } from './jobs.ts'
import { jobsRemoveCommand } from './jobs-rm.ts'
import { publishCommand } from './publish.ts'
import { rejectsCommands } from './rejects.ts'
import { runCommand } from './run.ts'
import { tailCommand } from './tail.ts'
import { topicsCommands } from './topics.ts'
import { verifyCommand } from './verify.ts'
import { workCommand } from './work.ts'

/** What the commands of a group have in common: the first word of their names. */
export const GROUPS: Readonly<Record<string, string>> = {
  rejects: 'the rows of a job that have no result: list, export or replay them',
  topics: 'the topics of a pipeline: plan them, create them, check them',
  jobs: 'the jobs of a pipeline: open one for events, list them, cancel or remove them',
}

/** Every command, in the order of the help. */
export const COMMANDS: readonly CommandSpec[] = [
  runCommand,
  checkCommand,
  publishCommand,
  workCommand,
  collectCommand,
  tailCommand,
  verifyCommand,
  ...rejectsCommands,
  ...jobsCommands,
  jobsRemoveCommand,
  ...topicsCommands,
  aclsCommand,
  brokerCommand,
  adoptCommand,
  doctorCommand,
  explainCommand,
  completionCommand(() => COMMANDS, GROUPS),
]
