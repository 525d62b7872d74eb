import { open } from 'node:fs/promises'
import { brokerFiles } from './jvm/broker-files.ts'

/** How much of the end of a log we read. */
export const TAIL_BYTES = 32 * 1024
const LINES = 6

/** The last relevant lines that the broker in this directory wrote. Empty if it wrote nothing. */
export async function lastWords(directory: string): Promise<string> {
  const files = brokerFiles(directory)
  const [log, output] = await Promise.all([tail(files.log), tail(files.output)])
  return linesThatMatter(`${output}\n${log}`)
}

/** The last errors, or the last lines if there are none. Without blank lines and the `at ...` lines of stack traces. */
export function linesThatMatter(text: string): string {
  const all = text.split('\n').filter(line => line.trim() !== '' && !/^\s+(at |\.\.\. )/.test(line))
  const errors = all.filter(line => /\b(ERROR|FATAL)\b|Exception|Error:|Caused by|error occurred/.test(line))
  const last = (errors.length > 0 ? errors : all).slice(-LINES)
  // This causes many later errors, which push it far up.
  const noFiles = errors.find(line => line.includes('Too many open files'))
  return (noFiles === undefined || last.includes(noFiles) ? last : [noFiles, ...last]).join('\n')
}

async function tail(path: string): Promise<string> {
  const file = await open(path).catch(() => null)
  if (file === null) return ''
  try {
    const { size } = await file.stat()
    const length = Math.min(size, TAIL_BYTES)
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length)
    return buffer.toString('utf8')
  } finally {
    await file.close()
  }
}
