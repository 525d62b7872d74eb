/**
 * The thread of a classifier in TypeScript or JavaScript, started by module.ts. Batches arrive as undecoded bytes. It
 * decodes, classifies and encodes them one after the other, and sends the results back.
 */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { workerData } from 'node:worker_threads'
import { errorToRecord, RowmillError } from '../../errors.ts'
import { freeBytes } from '../../support/free-bytes.ts'
import { joinBytes } from '../../support/join-bytes.ts'
import type { ClassifierJob } from '../boundary.ts'
import type { Classifier } from '../classifier.ts'
import { classifyEncoded } from '../decoding.ts'
import { Answers } from './answers.ts'
import type { ThreadAnswer, ThreadArguments, ThreadBatch } from './module.ts'
import { checkModuleJob, classifyWithModule, type ModuleExports } from './module-rows.ts'
import { failureOf, isRowmillError } from './thrown.ts'

const { file, name, by, port } = workerData as ThreadArguments
const path = resolve(file)

let job: ClassifierJob | null = null
let jobError: unknown = null
const answers = new Answers(port)
let last = load().then(
  loaded => {
    answers.add({ ready: { versions: { node: process.versions.node } }, fingerprint: loaded.fingerprint })
    answers.send()
    return loaded
  },
  error => {
    answers.add({ error: errorToRecord(error) })
    answers.send()
    process.exit(1)
  },
)

port.on('message', (batches: ThreadBatch[]) => {
  last = last.then(async loaded => {
    answers.begin()
    for (const batch of batches)
      answers.add(await answer(loaded, batch).catch(error => ({ error: errorToRecord(error) })))
    answers.send()
    return loaded
  })
})

interface LoadedModule extends ModuleExports {
  readonly fingerprint: Uint8Array
}

async function answer(loaded: LoadedModule, { job: next, head, parts, bytes }: ThreadBatch): Promise<ThreadAnswer> {
  if (next) take(next)
  if (jobError) throw jobError
  const encoded = parts.map(({ start, length, ...part }) => ({ ...part, bytes: new Uint8Array(bytes, start, length) }))
  const batch = { job: job!, head: { ...head, by, classifier: loaded.fingerprint }, parts: encoded }
  const messages = await classifyEncoded(batch, rows =>
    classifyWithModule(loaded, rows).catch(error => {
      throw isRowmillError(error) ? error : failureOf('CLASSIFIER_FAILED', `classifier ${file} threw`, error)
    }),
  )
  freeBytes(new Uint8Array(bytes))
  return { results: inOneBuffer(messages), lengths: messages.map(({ length }) => length) }
}

/** A buffer to transfer. A single message, the usual case, has one of its own. */
function inOneBuffer(messages: readonly Buffer<ArrayBuffer>[]): ArrayBuffer {
  return messages.length === 1 ? messages[0]!.buffer : joinBytes(messages).buffer
}

function take(next: ClassifierJob): void {
  job = { ...next, columns: Object.freeze([...next.columns]) }
  jobError = null
  try {
    checkModuleJob(next)
  } catch (error) {
    jobError = error
  }
}

async function load(): Promise<LoadedModule> {
  if (!existsSync(path)) throw notFound(`classifier file ${file} does not exist (looked for ${path}).`)
  const found: Record<string, unknown> = await import(pathToFileURL(path).href).catch(error => {
    throw failureOf('CLASSIFIER_UNLOADABLE', `classifier ${file} cannot be imported`, error)
  })
  const classifier = found[name]
  if (typeof classifier !== 'function') {
    const functions = Object.keys(found).filter(key => typeof found[key] === 'function')
    const there = functions.length > 0 ? `It exports ${functions.join(', ')}.` : 'It exports no function.'
    throw notFound(`${file} has no function as ${name === 'default' ? 'default export' : `export ${name}`}. ${there}`)
  }
  const columns = found['columns'] ?? null
  if (
    columns !== null &&
    !(Array.isArray(columns) && columns.every(column => typeof column === 'string' && column.isWellFormed()))
  ) {
    throw new RowmillError('CLASSIFIER_UNLOADABLE', `${file}: its export columns must be a list of names.`)
  }
  const hash = createHash('sha256').update(readFileSync(path)).update(`\0${name}\0${process.versions.node}`)
  return { classifier: classifier as Classifier, columns, fingerprint: hash.digest().subarray(0, 8) }
}

function notFound(message: string): RowmillError {
  return new RowmillError('CLASSIFIER_NOT_FOUND', `${message} Give --classifier FILE.ts[:NAME], or a .js file.`)
}
