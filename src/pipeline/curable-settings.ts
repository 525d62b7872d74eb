import type { KafkaAdmin } from '../kafka/index.ts'
import { refuses } from './create-topics.ts'
import type { PipelineTopics } from './topic-names.ts'
import { type Finding, limitsRows } from './topic-settings.ts'

/** What is wrong with a topic, and nobody can mend. */
export interface LastingFlaw {
  readonly text: string
  /** How to live with it. */
  readonly cure: string
}

/**
 * Separates the findings that an administrator can mend. Some clusters keep no message for ever, so they delete job records
 * after a while. That costs rows only if a job takes longer. Some take no messages as long as ours can be.
 */
export async function curable(
  admin: KafkaAdmin,
  { jobs }: PipelineTopics,
  findings: readonly Finding[],
): Promise<{ findings: Finding[]; lasting: LastingFlaw[] }> {
  const [found, lasting]: [Finding[], LastingFlaw[]] = [[], []]
  const asked = new Map<string, Promise<boolean>>() // several topics have the same setting
  const isRefused = (cure: Finding['cure']): Promise<boolean> => {
    const known = asked.get(cure.join('=')) ?? refusesSetting(admin, jobs, cure)
    asked.set(cure.join('='), known)
    return known
  }
  for (const finding of findings) {
    const { topic, text, cure } = finding
    const living = limitsRows(finding)
      ? 'keep rows and results below that'
      : topic === jobs && cure[0].startsWith('retention.')
        ? 'end each job before its record is deleted'
        : null
    if (living === null || !(await isRefused(cure))) found.push(finding)
    else lasting.push({ text: `topic ${topic}: ${text}. The cluster refuses ${cure.join('=')}`, cure: living })
  }
  return { findings: found, lasting }
}

/** Whether the cluster creates topics, but none with this setting. */
async function refusesSetting(admin: KafkaAdmin, jobs: string, [name, value]: Finding['cure']): Promise<boolean> {
  const probe = { topic: `${jobs}-probe`, partitions: 1, replicationFactor: -1 }
  if (!(await refuses(admin, { ...probe, config: { [name]: value } }))) return false
  return !(await refuses(admin, { ...probe, config: {} }))
}
