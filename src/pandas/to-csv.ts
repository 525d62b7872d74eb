import { EOL } from 'node:os'
import { jsonOptionOf } from '../core/job.ts'
import { RowmillError } from '../errors.ts'
import type { JobOption } from '../model.ts'
import { checkCompression } from './packing.ts'

/** How a sink writes cells: the arguments of Python's csv.writer, and whether to_csv was asked for a header. */
export interface SinkDialect {
  readonly sep: string
  readonly quotechar: string
  /** csv.QUOTE_MINIMAL, QUOTE_ALL or QUOTE_NONE. */
  readonly quoting: 0 | 1 | 3
  readonly lineterminator: string
  readonly doublequote: boolean
  readonly escapechar: string | null
  /** Null: to_csv does not say, so the command line decides. */
  readonly header: boolean | null
}

/** Keyword arguments of to_csv, split by who applies them. */
export interface ToCsvParts {
  /** For the Python host: they decide what the cells are. */
  readonly host: Record<string, unknown>
  /** For the sink: they decide how cells become a line. */
  readonly sink: SinkDialect
  /** For a sink that writes a file: how it is packed (`packingOf`). */
  readonly compression: unknown
}

interface ToCsvArgument {
  readonly by: 'host' | 'sink' | 'both' | 'refused'
  /** What a value must be. For a refused argument: why it is refused. */
  readonly rule: string
  readonly accepts: (value: unknown) => boolean
}

const isText = (value: unknown): boolean => typeof value === 'string'
const isFlag = (value: unknown): boolean => typeof value === 'boolean'
const isCharacter = (value: unknown): boolean => typeof value === 'string' && [...value].length === 1
const isNames = (value: unknown): boolean => Array.isArray(value) && value.every(isText)
const orNull = (accepts: (value: unknown) => boolean) => (value: unknown) => value === null || accepts(value)
const oneOf =
  (...values: unknown[]) =>
  (value: unknown) =>
    values.includes(value)

const oneLine = (rule: string, ...defaults: unknown[]): ToCsvArgument => ({
  by: 'refused',
  rule,
  accepts: oneOf(...defaults),
})

/** Every keyword argument of DataFrame.to_csv (pandas 3.1). A refused one may still be given with its default value. */
const ARGUMENTS: Readonly<Record<string, ToCsvArgument>> = {
  na_rep: { by: 'host', rule: 'a text', accepts: isText },
  float_format: { by: 'host', rule: "a text such as '%.3f'", accepts: orNull(isText) },
  date_format: { by: 'host', rule: "a text such as '%Y-%m-%d'", accepts: orNull(isText) },
  decimal: { by: 'host', rule: 'one character', accepts: isCharacter },
  columns: { by: 'host', rule: 'a list of column names', accepts: orNull(isNames) },
  index: { by: 'host', rule: 'true or false', accepts: isFlag },
  index_label: {
    by: 'host',
    rule: 'a text or a list of texts. With false the header is a cell shorter than the rows, which a result cannot say',
    accepts: orNull(value => isText(value) || isNames(value)),
  },
  header: { by: 'both', rule: 'true, false or a list of names', accepts: value => isFlag(value) || isNames(value) },
  quoting: {
    by: 'both',
    rule: '0 (minimal), 1 (all) or 3 (none). With 2 the quotes depend on the type of each cell, which is text by then',
    accepts: orNull(oneOf(0, 1, 3)),
  },
  sep: { by: 'sink', rule: 'one character', accepts: isCharacter },
  quotechar: { by: 'sink', rule: 'one character', accepts: isCharacter },
  escapechar: { by: 'sink', rule: 'one character', accepts: orNull(isCharacter) },
  doublequote: { by: 'sink', rule: 'true or false', accepts: isFlag },
  lineterminator: { by: 'sink', rule: 'a text', accepts: orNull(isText) },
  encoding: oneLine('rowmill writes UTF-8', null, 'utf-8', 'utf8', 'UTF-8'),
  path_or_buf: oneLine('OUT names the file', null),
  mode: oneLine('a file appears whole, under its own name, when the job is complete', 'w'),
  chunksize: oneLine('rowmill writes batch by batch; leave it out', null),
  errors: oneLine('text that is no Unicode is an error', 'strict'),
  storage_options: oneLine('rowmill writes local files', null),
}

/**
 * Checks the keyword arguments of the original job's to_csv. Splits them into those that the Python host applies to
 * each batch and those that the sink applies to each line. The names and values are those of DataFrame.to_csv. Throws
 * USAGE, naming argument, value and reason.
 */
export function checkToCsv(toCsv: Readonly<Record<string, unknown>>): ToCsvParts {
  const host: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(toCsv)) {
    if (name === 'compression') {
      checkCompression(value)
      continue
    }
    const argument = Object.hasOwn(ARGUMENTS, name) ? ARGUMENTS[name] : undefined
    if (argument === undefined) {
      throw usage(
        name,
        value,
        `to_csv has no such argument. It has ${[...Object.keys(ARGUMENTS), 'compression'].join(', ')}.`,
      )
    }
    if (!argument.accepts(value)) {
      const reason =
        argument.by === 'refused' ? `it cannot be honoured: ${argument.rule}.` : `expected ${argument.rule}.`
      throw usage(name, value, reason)
    }
    if (argument.by === 'host' || argument.by === 'both') host[name] = value
  }
  // The host always returns the names of the columns. A list renames them.
  if (!Array.isArray(host.header)) delete host.header
  return { host, sink: sinkDialect(toCsv), compression: toCsv.compression === undefined ? 'infer' : toCsv.compression }
}

/**
 * The arguments in the options of a job record. Throws USAGE, as `checkToCsv` does, and for an option that is not JSON.
 */
export function toCsvOf(job: { readonly id?: string; readonly options: readonly JobOption[] }): ToCsvParts {
  return checkToCsv(jsonOptionOf(job, 'toCsv', '{}'))
}

function sinkDialect(toCsv: Readonly<Record<string, unknown>>): SinkDialect {
  const header = toCsv.header
  return {
    sep: (toCsv.sep as string | undefined) ?? ',',
    quotechar: (toCsv.quotechar as string | undefined) ?? '"',
    quoting: (toCsv.quoting as 0 | 1 | 3 | null | undefined) ?? 0,
    lineterminator: (toCsv.lineterminator as string | null | undefined) || EOL,
    doublequote: (toCsv.doublequote as boolean | undefined) ?? true,
    escapechar: (toCsv.escapechar as string | null | undefined) ?? null,
    header: header === undefined ? null : header !== false,
  }
}

function usage(name: string, value: unknown, reason: string): RowmillError {
  const shown = JSON.stringify(value)
  return new RowmillError('USAGE', `--to-csv ${name}=${shown}: ${reason}`, { argument: name, value: shown ?? null })
}
