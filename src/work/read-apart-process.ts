/** Reads the message on standard input as a worker would. Started by read-apart.ts. */
import { buffer } from 'node:stream/consumers'
import { crashPoint } from '../support/crash-point.ts'
import { readContent } from './admission.ts'

const value = await buffer(process.stdin)
crashPoint('message-taken', value)
try {
  readContent(value)
} catch {
  // A malformed message is no danger.
}
