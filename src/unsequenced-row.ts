import type { RowsMessage } from './batcher.ts'
import { decodeValues, encodeRows } from './codec.ts'
import { flawOfWidth, type JsonRow, type NoCell, valuesInOrder } from './json-rows.ts'
import type { Job, Values } from './model.ts'

/**
 * The one row of a message of a job without sequence, given in JSON or as a rows message, as a rows message. What is wrong
 * with it is said in its refusal: it has its place among the others, and is a reject there.
 */
export function unsequencedRow({ id, columns }: Job, given: JsonRow | Uint8Array): RowsMessage {
  const head = { job: id, epoch: 0, from: 0, seq: null, count: 1, line: null, lineSteps: null }
  if (given instanceof Uint8Array) {
    const flaw = flawOfWidth(decodeValues(given)[0]!.length, columns)
    return flaw === null ? { head, bytes: given } : { head, bytes: given, refusal: refused(flaw) }
  }
  const ordered = valuesInOrder(given, columns)
  if ('values' in ordered) return { head, bytes: encodeRows({ ...head, rows: [ordered.values] }) }
  return { head, bytes: encodeRows({ ...head, rows: [asGiven(given, columns)] }), refusal: refused(ordered.flaw) }
}

/** What a reject shows: what belongs to a column in its place, and behind them what belongs to none. */
function asGiven({ values }: JsonRow, columns: readonly string[]): Values {
  const shown = (value: string | NoCell) => (typeof value === 'string' ? value : value.text)
  if (values instanceof Map) {
    const others = [...values].filter(([name]) => !columns.includes(name))
    return [
      ...columns.map(column => shown(values.get(column) ?? '')),
      ...others.map(([name, value]) => `${name}=${shown(value)}`),
    ]
  }
  return values.map(shown)
}

function refused(detail: string) {
  return { reason: 'ROW_MALFORMED', detail }
}
