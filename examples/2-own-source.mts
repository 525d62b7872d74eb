// 2-own-source.mts
import { run, type Source } from 'rowmill'
import { StdoutSink } from 'rowmill/connectors'

/** Rows from anywhere: a table, a queue, an API. The line numbers are for messages. */
const source: Source = {
  open: async () => ({ columns: ['SKU', 'TEXT'], indexKind: 'integer', identity: null, total: null, options: [] }),
  async *rows() {
    yield { rows: [['17', 'a red shoe']], lines: [1] }
    yield {
      rows: [
        ['18', 'a hat'],
        ['19', 'a blue shoe'],
      ],
      lines: [2, 3],
    }
  },
  close: async () => {},
}

await run({ source, sink: new StdoutSink(), classifier: 'black_box.py' })
