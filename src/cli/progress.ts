const STAGES = ['published', 'classified', 'written'] as const

/** Rows so far at each stage that the command knows of. `total` is null if the source does not know it. */
export interface Progress {
  readonly published?: number
  readonly classified?: number
  readonly written?: number
  readonly rejected?: number
  readonly total: number | null
}

export type Stage = (typeof STAGES)[number]

export function stagesOf(progress: Progress): Stage[] {
  return STAGES.filter(stage => progress[stage] !== undefined)
}

/** The rows at the last stage: how far the command is. */
export function lastStage(progress: Progress): number {
  return progress[stagesOf(progress).at(-1)!]!
}
