import type { RowsMessage } from '../core/batcher.ts'
import type { Job, Values } from '../model.ts'
import { decodeValues, encodeRows } from '../wire/codec.ts'
import { flawOfWidth, type JsonRow, type NoCell, readValues, valuesInOrder } from '../wire/json-rows.ts'

/** For a row that does not fit its job, a reject shows at most this many extra values, each cut to this length. */
const OTHERS = 10
const SHOWN_CHARS = 1000

/**
 * Makes a rows message of one row of a job without sequence, given in JSON or as a rows message. A row that does not fit
 * the job gets a refusal: it keeps its position and becomes a reject.
 */
export function unsequencedRow({ id, columns }: Job, given: JsonRow | Uint8Array): RowsMessage {
  const head = { job: id, epoch: 0, from: 0, seq: null, count: 1, line: null, lineSteps: null }
  if (given instanceof Uint8Array) {
    const [values] = decodeValues(given)
    const flaw = flawOfWidth(values!.length, columns)
    if (flaw === null) return { head, bytes: given }
    return {
      head,
      bytes: encodeRows({ ...head, rows: [asGiven({ values: values! }, columns)] }),
      refusal: refused(flaw),
    }
  }
  const read = readValues(given, columns.length)
  const ordered = 'flaw' in read ? read : valuesInOrder(read, columns)
  if ('flaw' in ordered) {
    const shown = encodeRows({ ...head, rows: [asGiven(given, columns)] })
    return { head, bytes: shown, refusal: refused(ordered.flaw) }
  }
  return { head, bytes: encodeRows({ ...head, rows: [ordered.values] }) }
}

/** The values that a reject shows: first one for each column, then those that belong to none. Long texts are cut. */
function asGiven({ values }: Pick<JsonRow, 'values'>, columns: readonly string[]): Values {
  const shown = (value: string | NoCell) => cut(typeof value === 'string' ? value : value.text)
  if (!(values instanceof Map)) return values.slice(0, columns.length + OTHERS).map(shown)
  const names = new Set(columns)
  const others = [...values].filter(([name]) => !names.has(name)).slice(0, OTHERS)
  return [
    ...columns.map(column => shown(values.get(column) ?? '')),
    ...others.map(([name, value]) => `${cut(name)}=${shown(value)}`),
  ]
}

function cut(text: string): string {
  return text.slice(0, SHOWN_CHARS).toWellFormed()
}

function refused(detail: string) {
  return { reason: 'ROW_MALFORMED', detail }
}
