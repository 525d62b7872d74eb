import { RowmillError } from '../../errors.ts'
import type { ClassifiedBatch, ClassifierBatch, ClassifierRuntime, RowsClassifier } from '../boundary.ts'
import type { Classifier } from '../classifier.ts'
import { checkModuleJob, classifyWithModule } from './module-rows.ts'
import { failureOf, isRowmillError } from './thrown.ts'

/**
 * A classifier that is a function in this process. It is for tests, whose function may close over anything. It gets one
 * batch at a time, as in a thread. It shares memory and event loop with the process: if it hangs, the process hangs too.
 */
export class FunctionClassifier implements RowsClassifier {
  readonly fingerprint = new Uint8Array(8)
  readonly runtime: ClassifierRuntime = { versions: { node: process.versions.node }, quotesCarriageReturn: true }
  readonly #classifier: Classifier
  readonly #closed = Promise.withResolvers<never>()
  #last: Promise<unknown> = Promise.resolve()

  constructor(classifier: Classifier) {
    this.#classifier = classifier
    this.#closed.promise.catch(() => {})
  }

  async start(): Promise<void> {}

  classify(batch: ClassifierBatch): Promise<ClassifiedBatch> {
    const answer = this.#last.then(() => Promise.race([this.#call(batch), this.#closed.promise]))
    this.#last = answer.catch(() => {})
    return answer
  }

  async close(): Promise<void> {
    this.#closed.reject(new RowmillError('CLASSIFIER_DIED', 'the classifier is closed.'))
  }

  async #call({ job, rows, seqs }: ClassifierBatch): Promise<ClassifiedBatch> {
    checkModuleJob(job)
    const given = { job: { ...job, columns: Object.freeze([...job.columns]) }, rows, seqs }
    return classifyWithModule({ classifier: this.#classifier, columns: null }, given).catch(error => {
      throw isRowmillError(error) ? error : failureOf('CLASSIFIER_FAILED', 'the classifier threw', error)
    })
  }
}
