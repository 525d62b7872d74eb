import type { CommandSpec } from '../command.ts'
import { aclsCommand } from './acls.ts'
import { adoptCommand } from './adopt.ts'
import { brokerCommand } from './broker.ts'
import { checkCommand } from './check.ts'
import { collectCommand } from './collect.ts'
import { completionCommand } from './completion.ts'
import { doctorCommand } from './doctor.ts'
import { explainCommand } from './explain.ts'
import { GROUPS } from './files.ts'
import { jobsCommands } from './jobs.ts'
import { jobsRemoveCommand } from './jobs-rm.ts'
import { monitorCommand } from './monitor.ts'
import { publishCommand } from './publish.ts'
import { rejectsCommands } from './rejects.ts'
import { runCommand } from './run.ts'
import { statusCommand } from './status.ts'
import { tailCommand } from './tail.ts'
import { topicsCommands } from './topics.ts'
import { verifyCommand } from './verify.ts'
import { workCommand } from './work.ts'

/** Every command, in the order of the help. */
export const COMMANDS: readonly CommandSpec[] = [
  runCommand,
  checkCommand,
  publishCommand,
  workCommand,
  collectCommand,
  statusCommand,
  tailCommand,
  verifyCommand,
  ...rejectsCommands,
  ...jobsCommands,
  jobsRemoveCommand,
  ...topicsCommands,
  aclsCommand,
  monitorCommand,
  brokerCommand,
  adoptCommand,
  doctorCommand,
  explainCommand,
  completionCommand(() => COMMANDS, GROUPS),
]
