import { python } from './serial.ts'

export type Answer = readonly [outcome: 'same' | 'refused' | 'both fail' | 'OTHER', ...details: (string | number)[]]

/** Reads files by a recipe, and compares their batches with the slices of the whole DataFrame (fixtures/slices.py). */
export async function compareSlices<File extends string>(
  calls: Readonly<Record<File, readonly string[]>>,
): Promise<Record<File, Record<string, Answer>>> {
  return JSON.parse(await python('slices.py', calls))
}
