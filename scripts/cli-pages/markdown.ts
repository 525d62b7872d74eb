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

/** docs/cli.md. */
export function cliPage(): string {
  return `# The command line

${INTRODUCTION.join('\n')}

This page is generated: \`node scripts/cli-pages.ts\` makes it, and the man page \`rowmill(1)\`, from
[src/options.ts](../src/options.ts) and [src/cli/commands](../src/cli/commands).

${PAGES.map(({ name, doc }) => `- [rowmill ${name}](#rowmill-${name.replaceAll(' ', '-')}): ${doc}`).join('\n')}

${PAGES.map(section).join('\n')}
## Options of a shared pipeline

Commands on a pipeline that other commands serve too have these options in common.

${optionTable(SHARED)}

## JSON output

${JSON_NOTE.join('\n')}

## Other environment variables

${table(
  ['variable', 'meaning'],
  Object.entries(USER_VARIABLES).map(([name, doc]) => [code(name), doc]),
)}

## Exit codes

${CODES_NOTE}

${table(
  ['exit', 'meaning', 'error codes ([what to do](errors.md))'],
  EXITS.map(({ exit, meaning, codes }) => [exit, meaning, codes.join(', ')]),
)}

## Completion in a shell

\`\`\`sh
source <(rowmill completion bash)                              # in ~/.bashrc
source <(rowmill completion zsh)                               # in ~/.zshrc, after compinit
rowmill completion fish | source                               # in ~/.config/fish/config.fish
\`\`\`
`
}

function section({ name, doc, usage, example, operands, options, isShared, json, exits }: CommandPage): string {
  const parts = [
    `## rowmill ${name}\n\n${sentence(doc)}`,
    `\`\`\`\n${usage}\n\`\`\``,
    `Example: \`${example}\``,
    operands.length === 0
      ? ''
      : table(
          ['operand', 'meaning'],
          operands.map(({ name, doc }) => [code(name), doc]),
        ),
    options.length === 0 ? '' : optionTable(options),
    isShared ? 'It also takes the [options of a shared pipeline](#options-of-a-shared-pipeline).' : '',
    json ? `The [JSON output](#json-output) has a line for ${json.line}, with these fields:` : '',
    json
      ? table(
          ['field', 'meaning'],
          Object.entries(json.fields).map(([field, meaning]) => [code(field), meaning]),
        )
      : '',
    `[Exit codes](#exit-codes): ${exits.join(', ')}.`,
  ]
  return `${parts.filter(part => part !== '').join('\n\n')}\n`
}

function optionTable(options: readonly OptionLine[]): string {
  const rows = options.map(({ flags, value, doc, fallback, variable }) => [
    flags.map((flag, at) => code(at === flags.length - 1 && value !== null ? `${flag} ${value}` : flag)).join(', '),
    doc,
    fallback ?? '',
    variable === null ? 'none' : code(variable),
  ])
  return table(['option', 'meaning', 'default', 'environment'], rows)
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map(cell => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`
  return [line(header), `|${'---|'.repeat(header.length)}`, ...rows.map(line)].join('\n')
}

function code(text: string): string {
  return `\`${text}\``
}

function sentence(doc: string): string {
  return `${doc[0]!.toUpperCase()}${doc.slice(1)}.`
}
