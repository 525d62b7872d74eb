import { USER_VARIABLES } from '../../src/cli/environment.ts'
import {
  CODES_NOTE,
  type CommandPage,
  EXITS,
  INTRODUCTION,
  JSON_NOTE,
  type OptionLine,
  PAGES,
  SHARED,
} from './content.ts'

/** man/rowmill.1. */
export function manPage(): string {
  return [
    '.TH ROWMILL 1 "" "rowmill" "User Commands"',
    '.SH NAME',
    'rowmill \\- run a row\\-by\\-row CSV job as a stream on Apache Kafka',
    '.SH SYNOPSIS',
    ...PAGES.flatMap(({ usage }, at) => [...(at === 0 ? [] : ['.br']), roff(usage)]),
    '.SH DESCRIPTION',
    ...INTRODUCTION.map(roff),
    '.PP',
    ...JSON_NOTE.map(roff),
    '.SH COMMANDS',
    ...PAGES.flatMap(section),
    '.SH OPTIONS OF A SHARED PIPELINE',
    'Commands on a pipeline that other commands serve too have these options in common.',
    ...SHARED.flatMap(option),
    '.SH ENVIRONMENT',
    ...Object.entries(USER_VARIABLES).flatMap(([name, doc]) => item(bold(name), doc)),
    '.SH EXIT STATUS',
    roff(CODES_NOTE),
    ...EXITS.flatMap(({ exit, meaning }) => item(bold(exit), meaning)),
    '',
  ].join('\n')
}

function section({ name, doc, example, operands, options, isShared, json }: CommandPage): string[] {
  return [
    `.SS ${roff(`rowmill ${name}`)}`,
    roff(`${doc[0]!.toUpperCase()}${doc.slice(1)}.`),
    ...operands.flatMap(({ name, doc }) => item(`\\fI${roff(name)}\\fR`, doc)),
    ...options.flatMap(option),
    ...(isShared ? ['.PP', 'It also takes the options of a shared pipeline, see below.'] : []),
    ...(json ? ['.PP', roff(`JSON fields, for ${json.line}:`)] : []),
    ...Object.entries(json?.fields ?? {}).flatMap(([field, meaning]) => item(bold(field), meaning)),
    '.PP',
    'Example:',
    '.PP',
    '.nf',
    roff(`    ${example}`),
    '.fi',
  ]
}

function option({ flags, value, doc, fallback, variable }: OptionLine): string[] {
  const head = `${flags.map(bold).join(', ')}${value === null ? '' : ` \\fI${roff(value)}\\fR`}`
  const end = fallback === null ? '' : ` (default: ${fallback})`
  return item(
    head,
    `${doc}${end}. ${variable === null ? 'It has no environment variable' : `Environment: ${variable}`}.`,
  )
}

function item(head: string, text: string): string[] {
  return ['.TP', head, roff(text)]
}

function bold(text: string): string {
  return `\\fB${roff(text)}\\fR`
}

/** Text as roff shows it: a line never begins with a control character, and - stays the one of the keyboard. */
function roff(text: string): string {
  const escaped = text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll("'", '\\(aq').replaceAll('"', '\\(dq')
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped
}
