import type { ClassifiedBatch, ClassifierBatch, RowsClassifier } from '../../src/classifier/boundary.ts'
import type { Source, SourceHeader, SourceRows } from '../../src/connector.ts'
import type { Values } from '../../src/model.ts'

/** What the source of `sourceOf` returns from `open`. */
export const HEADER: SourceHeader = {
  columns: ['ID', 'TEXT'],
  indexKind: null,
  identity: null,
  total: null,
  options: [],
}

/** Rows with their number and a text. */
export const numbered = (count: number, first = 0): Values[] =>
  Array.from({ length: count }, (_, i) => [String(first + i), `text ${first + i}`])

/** What the Exclaimer makes of rows. */
export const classified = (rows: readonly Values[]): Values[] => rows.map(([id, text]) => [id!, `${text}!`])

/** Appends an exclamation mark; `before` may hold a batch back or throw. */
export class Exclaimer implements RowsClassifier {
  readonly fingerprint = new Uint8Array(8)
  readonly runtime = { versions: {}, quotesCarriageReturn: true }
  readonly batches: ClassifierBatch[] = []
  readonly #before: (batch: ClassifierBatch, number: number) => Promise<void>

  constructor(before: (batch: ClassifierBatch, number: number) => Promise<void> = async () => {}) {
    this.#before = before
  }

  async start(): Promise<void> {}

  async classify(batch: ClassifierBatch): Promise<ClassifiedBatch> {
    this.batches.push(batch)
    await this.#before(batch, this.batches.length)
    return { columns: ['ID', 'TEXT'], kinds: ['integer', 'text'], rows: classified(batch.rows) }
  }

  async close(): Promise<void> {}
}

/** A source of these runs, each row one line. */
export function sourceOf(runs: AsyncIterable<readonly Values[]> | Iterable<readonly Values[]>): Source {
  return {
    open: async () => HEADER,
    async *rows(): AsyncIterable<SourceRows> {
      let line = 1
      for await (const rows of runs) {
        const lines = rows.map(() => ++line)
        if (rows.length > 0) yield { rows, lines }
      }
    },
    close: async () => {},
  }
}
