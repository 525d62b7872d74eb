import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import type { PackedRows, Sink } from '../../../src/connector.ts'
import { RowmillError } from '../../../src/errors.ts'
import type { Values } from '../../../src/model.ts'
import { RowCursor } from '../../../src/wire/row-cursor.ts'

/** A sink that keeps the contract, except for the fault that its output name ends with: `rows.json#FAULT`. */
export const FAULTS = [
  'none',
  'drops a row',
  'writes a row twice',
  'writes no file without rows',
  'fails when it is closed twice',
  'shows rows early',
  'leaves a file when it is closed',
  'takes a second sink',
  'keeps its checkpoint in memory',
  'keeps rows after the checkpoint',
  'begins again after a checkpoint with the rows before it',
  'keeps rows without a checkpoint',
  'forgets its checkpoint when it is closed',
  'resumes although it was restarted',
  'keeps its first note',
  'keeps its first checkpoint',
  'cuts long notes',
  'keeps the end of a longer note',
  'takes a note for ASCII',
  'joins cells with commas',
  'ends cells at a line end',
  'trims cells',
  'drops empty cells',
  'drops rows with an empty cell',
  'takes cells for ASCII',
  'composes characters',
  'takes cells for numbers',
  'takes cells for null',
  'takes backslashes for escapes',
  'cuts long cells',
  'drops equal rows',
  'drops the last of packed rows',
  'reads the last packed rows again when it commits',
  'keeps the rows that it says it rewrites',
] as const

const ascii = (text: string) => text.replace(/[^\n\r\t -~]/g, '?')

/** What some faults make of a row. */
const DAMAGE: Partial<Record<Fault, (row: Values) => Values>> = {
  'joins cells with commas': row => row.join().split(','),
  'ends cells at a line end': row => row.map(cell => cell.split('\n')[0]!),
  'trims cells': row => row.map(cell => cell.trim()),
  'drops empty cells': row => row.filter(cell => cell !== ''),
  'takes cells for ASCII': row => row.map(ascii),
  'composes characters': row => row.map(cell => cell.normalize('NFC')),
  'takes cells for numbers': row => row.map(cell => (/^\d+$/.test(cell) ? String(Number(cell)) : cell)),
  'takes cells for null': row => row.map(cell => (cell === 'null' ? '' : cell)),
  'takes backslashes for escapes': row => row.map(cell => cell.replace(/\\(.)/g, '$1')),
  'cuts long cells': row => row.map(cell => cell.slice(0, 255)),
}
export type Fault = (typeof FAULTS)[number]

interface State {
  readonly note: string | null
  readonly rows: readonly Values[]
}

/** The outputs that are open in this process. */
const open = new Set<string>()

class FaultySink implements Sink {
  readonly rewrites = true
  readonly #output: string
  readonly #state: string
  readonly #fault: Fault
  #rows: Values[] = []
  #packed: PackedRows | null = null
  #note: string | null = null
  #hasBegun = false
  #holdsLock = false
  #closed = false

  constructor(output: string) {
    this.#output = output
    this.#state = `${output}.state`
    this.#fault = output.split('#')[1] as Fault
  }

  async open(): Promise<string | null> {
    if (open.has(this.#output) && this.#fault !== 'takes a second sink')
      throw new RowmillError('OUTPUT_LOCKED', `${this.#output} is locked`)
    open.add(this.#output)
    this.#holdsLock = true
    if (!existsSync(this.#state)) return null
    const { note, rows }: State = JSON.parse(readFileSync(this.#state, 'utf8'))
    this.#rows = [...rows]
    this.#note = note
    if (note === null && this.#fault !== 'keeps rows without a checkpoint') this.#rows = []
    if (this.#fault.startsWith('begins again')) return null
    return note
  }

  async restart(): Promise<void> {
    if (this.#fault === 'resumes although it was restarted') return
    if (this.#fault === 'keeps the rows that it says it rewrites' && this.#hasBegun) return
    this.#rows = []
    this.#note = null
    rmSync(this.#state, { force: true })
  }

  async begin(): Promise<void> {
    this.#hasBegun = true
  }

  async write(given: readonly Values[]): Promise<void> {
    let rows = given.map(DAMAGE[this.#fault] ?? (row => row))
    if (this.#fault === 'drops rows with an empty cell') rows = rows.filter(row => !row.includes(''))
    if (this.#fault === 'drops equal rows')
      rows = rows.filter(row => !this.#rows.some(other => String(other) === String(row)))
    const dropped = this.#fault === 'drops a row' && this.#rows.length === 3
    this.#rows.push(...(dropped ? [] : rows))
    if (this.#fault === 'writes a row twice' && this.#rows.length === 3) this.#rows.push(...rows)
    if (this.#fault === 'shows rows early') this.#show()
    if (this.#fault === 'keeps rows after the checkpoint') this.#saveLater()
    if (this.#fault === 'keeps rows without a checkpoint') this.#save(null)
  }

  async writePacked(packed: PackedRows): Promise<void> {
    this.#packed = packed
    const rows = rowsOf(packed)
    await this.write(this.#fault === 'drops the last of packed rows' ? rows.slice(0, -1) : rows)
  }

  async checkpoint(note: string): Promise<void> {
    const hasOne = this.#note !== null
    if (this.#fault === 'keeps its checkpoint in memory' || (this.#fault === 'keeps its first checkpoint' && hasOne))
      return
    this.#note = this.#noteOf(note)
    this.#save(this.#note)
  }

  async commit(): Promise<void> {
    const packed = this.#packed
    if (packed && this.#fault.startsWith('reads the last packed rows'))
      this.#rows.splice(-packed.count, packed.count, ...rowsOf(packed))
    if (this.#rows.length > 0 || this.#fault !== 'writes no file without rows') this.#show()
    rmSync(this.#state, { force: true })
  }

  async close(): Promise<void> {
    if (this.#closed && this.#fault === 'fails when it is closed twice') throw new Error('it is closed already')
    this.#closed = true
    if (this.#holdsLock) open.delete(this.#output)
    if (!this.#holdsLock) return
    if (this.#fault === 'leaves a file when it is closed' && !existsSync(this.#output)) this.#show()
    if (this.#fault.startsWith('forgets')) rmSync(this.#state, { force: true })
  }

  #noteOf(note: string): string {
    const before = this.#note ?? ''
    if (this.#fault === 'keeps its first note') return before || note
    if (this.#fault === 'cuts long notes') return note.slice(0, 40)
    if (this.#fault === 'keeps the end of a longer note') return note + before.slice(note.length)
    return this.#fault === 'takes a note for ASCII' ? ascii(note) : note
  }

  #show(): void {
    writeFileSync(this.#output, JSON.stringify(this.#rows))
  }

  #save(note: string | null): void {
    writeFileSync(`${this.#state}.next`, JSON.stringify({ note, rows: this.#rows }))
    renameSync(`${this.#state}.next`, this.#state)
  }

  #saveLater(): void {
    if (existsSync(this.#state)) this.#save(JSON.parse(readFileSync(this.#state, 'utf8')).note)
  }
}

function rowsOf(packed: PackedRows): Values[] {
  const cursor = new RowCursor(packed)
  const rows: Values[] = []
  while (cursor.next()) rows.push(cursor.values())
  return rows
}

export default (output: string) => new FaultySink(output)
