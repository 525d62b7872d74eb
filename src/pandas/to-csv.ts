import { EOL } from 'node:os'
import { jsonOptionOf } from '../core/job.ts'
import { RowmillError } from '../errors.ts'
import type { JobOption } from '../model.ts'
import { checkCompression } from './packing.ts'

// The values of csv.QUOTE_... in Python.
const QUOTE_MINIMAL = 0
export const QUOTE_ALL = 1
export const QUOTE_NONNUMERIC = 2
export const QUOTE_NONE = 3

export type Quoting = typeof QUOTE_MINIMAL | typeof QUOTE_ALL | typeof QUOTE_NONNUMERIC | typeof QUOTE_NONE

/** How a sink writes cells: the arguments of Python's csv.writer, and what to_csv says about the header. */
export interface SinkDialect {
  readonly sep: string
  readonly quotechar: string
  readonly quoting: Quoting
  readonly lineterminator: string
  readonly doublequote: boolean
  readonly escapechar: string | null
  /** Null: to_csv does not say, so the command line decides. */
  readonly header: boolean | null
  /** False: the header has no label for the index, so it is a cell shorter than the rows. */
  readonly index_label: boolean
}

/** How the text of the rows becomes a file. */
export interface FileForm {
  /** `a` appends to the file that is there, `x` refuses one, `w` replaces it with `--force` alone. */
  readonly mode: 'w' | 'a' | 'x'
  /** A name of Python's codecs. Null: UTF-8. */
  readonly encoding: string | null
  /** Python's handler for characters that the encoding lacks. */
  readonly errors: string
  /** How the file is packed (`packingOf`). */
  readonly compression: unknown
}

/** Keyword arguments of to_csv, split by who applies them. */
export interface ToCsvParts {
  /** For the Python host: they decide what the cells are. */
  readonly host: Record<string, unknown>
  /** For the sink: they decide how cells become a line. */
  readonly sink: SinkDialect
  /** For a sink that writes a file. */
  readonly file: FileForm
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
const isLabel = (value: unknown): boolean => isText(value) || Number.isFinite(value)
const isLabels = (value: unknown): boolean => Array.isArray(value) && value.every(isLabel)
const isName = (value: unknown): boolean => typeof value === 'string' && /^[\w.:-]+$/.test(value)
const orNull = (accepts: (value: unknown) => boolean) => (value: unknown) => value === null || accepts(value)
const oneOf =
  (...values: unknown[]) =>
  (value: unknown) =>
    values.includes(value)

/** Every keyword argument of DataFrame.to_csv (pandas 3.1). A refused one may still be given with its default value. */
const ARGUMENTS: Readonly<Record<string, ToCsvArgument>> = {
  na_rep: { by: 'host', rule: 'a text', accepts: isText },
  float_format: { by: 'host', rule: "a text such as '%.3f'", accepts: orNull(isText) },
  date_format: { by: 'host', rule: "a text such as '%Y-%m-%d'", accepts: orNull(isText) },
  decimal: { by: 'host', rule: 'one character', accepts: isCharacter },
  columns: { by: 'host', rule: 'a list of column names', accepts: orNull(isLabels) },
  index: { by: 'host', rule: 'true or false', accepts: isFlag },
  index_label: {
    by: 'both',
    rule: 'a text, a list of texts, or false for a header without it',
    accepts: orNull(value => value === false || isLabel(value) || isLabels(value)),
  },
  header: { by: 'both', rule: 'true, false or a list of names', accepts: value => isFlag(value) || isLabels(value) },
  quoting: {
    by: 'both',
    rule: '0 (minimal), 1 (all), 2 (all but numbers) or 3 (none). Only newer Pythons know others',
    accepts: orNull(oneOf(0, 1, 2, 3)),
  },
  sep: { by: 'sink', rule: 'one character', accepts: isCharacter },
  quotechar: { by: 'sink', rule: 'one character', accepts: isCharacter },
  escapechar: { by: 'sink', rule: 'one character', accepts: orNull(isCharacter) },
  doublequote: { by: 'sink', rule: 'true or false', accepts: isFlag },
  lineterminator: { by: 'sink', rule: 'a text', accepts: orNull(isText) },
  encoding: { by: 'sink', rule: "a name of Python's codecs, such as 'utf-8-sig'", accepts: orNull(isName) },
  errors: { by: 'sink', rule: "a name of Python's error handlers, such as 'replace'", accepts: orNull(isName) },
  mode: { by: 'sink', rule: "'w', 'x' or 'a'", accepts: oneOf('w', 'x', 'a') },
  chunksize: {
    by: 'host',
    rule: 'a whole number from 1',
    accepts: orNull(value => Number.isSafeInteger(value) && Number(value) > 0),
  },
  path_or_buf: { by: 'refused', rule: 'OUT names the file', accepts: oneOf(null) },
  storage_options: { by: 'refused', rule: 'rowmill writes local files', accepts: oneOf(null) },
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
  // The host always returns the names of the columns and of the index. A list renames them.
  if (!Array.isArray(host.header)) delete host.header
  if (hidesLabel(toCsv)) delete host.index_label
  delete host.chunksize // only dates look at it: see docs/decisions.md
  return { host, sink: sinkDialect(toCsv), file: fileForm(toCsv) }
}

/**
 * The arguments in the options of a job record. Throws USAGE, as `checkToCsv` does, and for an option that is not JSON.
 */
export function toCsvOf(job: { readonly id?: string; readonly options: readonly JobOption[] }): ToCsvParts {
  return checkToCsv(jsonOptionOf(job, 'toCsv', '{}'))
}

/** Whether the cells of a job have the marks of number-marks.ts. */
export function marksNumbers(job: { readonly options: readonly JobOption[] }): boolean {
  return toCsvOf(job).sink.quoting === QUOTE_NONNUMERIC
}

function sinkDialect(toCsv: Readonly<Record<string, unknown>>): SinkDialect {
  const header = toCsv.header
  return {
    sep: (toCsv.sep as string | undefined) ?? ',',
    quotechar: (toCsv.quotechar as string | undefined) ?? '"',
    quoting: (toCsv.quoting as Quoting | null | undefined) ?? QUOTE_MINIMAL,
    lineterminator: (toCsv.lineterminator as string | null | undefined) || EOL,
    doublequote: (toCsv.doublequote as boolean | undefined) ?? true,
    escapechar: (toCsv.escapechar as string | null | undefined) ?? null,
    header: header === undefined ? null : header !== false,
    index_label: toCsv.index === false || !hidesLabel(toCsv),
  }
}

/** Python's names for UTF-8, compared as its codecs compare them. */
const UTF_8: ReadonlySet<string> = new Set(['utf-8', 'utf8', 'u8', 'utf'])

function fileForm({ mode, encoding, errors, compression }: Readonly<Record<string, unknown>>): FileForm {
  const name = (encoding as string | null | undefined) ?? 'utf-8'
  return {
    mode: (mode as FileForm['mode'] | undefined) ?? 'w',
    encoding: UTF_8.has(name.toLowerCase().replaceAll('_', '-')) ? null : name,
    errors: (errors as string | null | undefined) ?? 'strict',
    compression: compression === undefined ? 'infer' : compression,
  }
}

/** Whether pandas writes no label for the index: it takes an empty list for false. */
function hidesLabel({ index_label: label }: Readonly<Record<string, unknown>>): boolean {
  return label === false || (Array.isArray(label) && label.length === 0)
}

function usage(name: string, value: unknown, reason: string): RowmillError {
  const shown = JSON.stringify(value)
  return new RowmillError('USAGE', `--to-csv ${name}=${shown}: ${reason}`, { argument: name, value: shown ?? null })
}
