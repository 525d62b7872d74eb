// 3-own-sink.mts
import { DatabaseSync } from 'node:sqlite'
import { run, type Sink, type Values } from 'rowmill'
import { CsvSource } from 'rowmill/connectors'

/** A table of SQLite. Rows and the collector's note are in one transaction: a crash keeps both or neither. */
class TableSink implements Sink {
  readonly #database = new DatabaseSync('classified.db')

  async open() {
    this.#database.exec('BEGIN IMMEDIATE') // one collector at a time
    this.#database.exec('CREATE TABLE IF NOT EXISTS partial (row TEXT); CREATE TABLE IF NOT EXISTS note (text TEXT)')
    const last = this.#database.prepare('SELECT text FROM note').get()
    if (last === undefined) await this.restart()
    return last === undefined ? null : String(last['text'])
  }

  async restart() {
    this.#database.exec('DELETE FROM partial; DELETE FROM note')
  }

  async begin() {}

  async write(rows: readonly Values[]) {
    const insert = this.#database.prepare('INSERT INTO partial VALUES (?)')
    for (const row of rows) insert.run(JSON.stringify(row)) // a cell may hold any text
  }

  async checkpoint(note: string) {
    this.#database.exec('DELETE FROM note')
    this.#database.prepare('INSERT INTO note VALUES (?)').run(note)
    this.#database.exec('COMMIT; BEGIN IMMEDIATE')
  }

  /** The rows get their final name only now. */
  async commit() {
    this.#database.exec('DROP TABLE note; DROP TABLE IF EXISTS classified; ALTER TABLE partial RENAME TO classified')
    this.#database.exec('COMMIT')
  }

  async close() {
    if (this.#database.isOpen) this.#database.close() // what is not committed is undone
  }
}

const source = new CsvSource({ path: 'rows.csv', readCsv: {}, delimiter: null, indexKind: null })
await run({ source, sink: new TableSink(), classifier: 'black_box.py' })
for (const { row } of new DatabaseSync('classified.db').prepare('SELECT row FROM classified').all())
  console.log(JSON.parse(String(row)).join(' | '))
