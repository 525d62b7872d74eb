import { execFile } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { python } from './python.ts'

const SERIAL_JOB = fileURLToPath(new URL('../../examples/serial_job.py', import.meta.url))

/** What the original one-process job writes for this file. */
export async function serialJob(
  input: string,
  classifier: string,
  options: { readCsv?: Record<string, unknown>; toCsv?: Record<string, unknown>; signal?: AbortSignal } = {},
): Promise<string> {
  const output = `${input}.serial`
  const json = (value: unknown) => JSON.stringify(value ?? {})
  const args = ['--classifier', classifier, '--read-csv', json(options.readCsv), '--to-csv', json(options.toCsv)]
  const limits = options.signal ? { signal: options.signal } : {}
  await promisify(execFile)(python, [SERIAL_JOB, input, output, ...args], limits)
  try {
    return readFileSync(output, 'utf8')
  } finally {
    rmSync(output)
  }
}
