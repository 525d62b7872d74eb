import { RowmillError } from '../errors.ts'
import type { JobOption } from '../model.ts'
import type { OptionValues } from '../options.ts'
import { checkReadCsv } from '../pandas/read-csv.ts'
import { checkToCsv } from '../pandas/to-csv.ts'

/**
 * The options that go into the job record: `toCsv` and `cast`, which change bytes, and the budget. The options
 * for reading are only checked here, because the source puts them into the record. Throws USAGE.
 */
export function jobOptions({
  readCsv,
  delimiter,
  header,
  toCsv: given,
  cast,
  maxRejects,
}: OptionValues<'readCsv' | 'delimiter' | 'header' | 'toCsv' | 'cast' | 'maxRejects'>): JobOption[] {
  checkReadCsv(readCsv, delimiter)
  // The original job wrote no header. A header in --to-csv, such as a list of names, wins.
  const toCsv = { header, ...given }
  checkToCsv(toCsv)
  return [
    { name: 'toCsv', value: JSON.stringify(toCsv) },
    { name: 'cast', value: JSON.stringify(cast.map(parseCast)) },
    { name: 'maxRejects', value: maxRejects },
  ]
}

function parseCast(cast: string): [string, string] {
  const at = cast.lastIndexOf('=')
  if (at > 0 && at < cast.length - 1) return [cast.slice(0, at), cast.slice(at + 1)]
  throw new RowmillError('USAGE', `--cast ${JSON.stringify(cast)}: must be COLUMN=DTYPE, such as SCORE=float64`, {
    cast,
  })
}
