import { indexOf } from './classified-log.ts'

export const STREAM_COLUMNS = ['ID', 'A'] as const

/** The values of a live row. */
export function streamRow(job: number, seq: number): string[] {
  return [indexOf(job, seq), `live, ${seq}`]
}
