// 2-own-source.mts
import { run, type Sink, type Source } from 'rowmill'

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

/** Prints rows as they come. It cannot resume, so it has no checkpoints. */
const sink: Sink = {
  open: async () => null,
  restart: async () => {},
  begin: async () => {},
  write: async rows => console.log(rows.map(row => row.join()).join('\n')),
  checkpoint: async () => {},
  commit: async ({ rows }) => console.log(`${rows} rows`),
  close: async () => {},
}

await run({ source, sink, classifier: 'black_box.py' })
