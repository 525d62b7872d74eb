import { RowmillError } from '../errors.ts'
import type { JobOption } from '../model.ts'
import type { OptionValues } from '../options.ts'
import { checkReadCsv } from '../pandas/read-csv.ts'
import { checkToCsv } from '../pandas/to-csv.ts'
import type { CheckedCalls } from '../python/pandas-reader.ts'

type PastedCalls = CheckedCalls & { readonly source: unknown }
type JobOptionValues = OptionValues<'readCsv' | 'delimiter' | 'header' | 'toCsv' | 'cast' | 'maxRejects' | 'outputRows'>

/**
 * The options that go into the job record: `toCsv` and `cast`, which change bytes, and the budget. The options
 * for reading are only checked here, because the source puts them into the record. So does a source with the calls of the
 * original program (`pasted`). Throws USAGE.
 */
export function jobOptions(options: JobOptionValues, pasted: PastedCalls | null = null): JobOption[] {
  const { readCsv, delimiter, cast, maxRejects, outputRows } = options
  checkReadCsv(readCsv, delimiter)
  const toCsv = toCsvArguments(options, pasted)
  checkToCsv(toCsv)
  const written = pasted?.toCsv ? pasted.options : [{ name: 'toCsv', value: JSON.stringify(toCsv) }]
  return [
    ...(pasted?.toCsv && pasted.source ? [] : written),
    { name: 'cast', value: JSON.stringify(cast.map(parseCast)) },
    { name: 'maxRejects', value: maxRejects },
    ...(outputRows === 'any' ? [{ name: 'rows', value: outputRows }] : []),
  ]
}

/** The arguments of to_csv: those of `--write`, or those of `--to-csv` and `--header`. */
export function toCsvArguments(
  { header, toCsv }: Pick<JobOptionValues, 'header' | 'toCsv'>,
  pasted: CheckedCalls | null,
): Readonly<Record<string, unknown>> {
  // The original job wrote no header. A header in --to-csv, such as a list of names, wins.
  return pasted?.toCsv ?? { header, ...toCsv }
}

function parseCast(cast: string): [string, string] {
  const at = cast.lastIndexOf('=')
  if (at > 0 && at < cast.length - 1) return [cast.slice(0, at), cast.slice(at + 1)]
  throw new RowmillError('USAGE', `--cast ${JSON.stringify(cast)}: must be COLUMN=DTYPE, such as SCORE=float64`, {
    cast,
  })
}
