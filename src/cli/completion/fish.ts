import type { Candidates, CompletedCommand, CompletedOption, CompletionTable } from './table.ts'

/** A completion script for fish. */
export function fishCompletion({ commands, options, first, groups }: CompletionTable): string {
  const lines = (after: string, words: CompletionTable['first']) =>
    words.map(({ word, doc }) => complete(after, `-f -a ${word} -d ${quoted(doc)}`))
  const words = [
    ...options.map(option => complete('', optionOf(option))),
    ...lines('', first),
    ...lines(
      'help',
      first.filter(({ word }) => word !== 'help'),
    ),
    ...groups.flatMap(({ word, members }) => [...lines(word, members), ...lines(`help ${word}`, members)]),
  ]
  return `# fish completion for rowmill. To load it: rowmill completion fish | source
function __rowmill_is
    set -l words (commandline -opc)[2..-1]
    if contains -- "$words[1]" help ${groups.map(({ word }) => word).join(' ')}
        test "$words[1..2]" = "$argv"
    else
        test "$words[1]" = "$argv"
    end
end
complete -c rowmill -f
${[...words, ...commands.flatMap(linesOf)].join('')}`
}

function linesOf({ name, options, operands }: CompletedCommand): string[] {
  return [
    ...options.map(option => complete(name, optionOf(option))),
    ...operands.map(({ candidates }) => complete(name, candidatesOf(candidates))),
  ]
}

function optionOf({ flags, doc, value }: CompletedOption): string {
  const names = flags.map(flag => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`)).join(' ')
  return `${names}${value ? ` -r ${candidatesOf(value.candidates)}` : ''} -d ${quoted(doc)}`
}

function candidatesOf(candidates: Candidates): string {
  if (candidates === null) return '-f'
  return candidates === 'files' ? '-F' : `-f -a ${quoted(candidates.join(' '))}`
}

function complete(command: string, rest: string): string {
  return `complete -c rowmill -n ${quoted(`__rowmill_is ${command}`.trim())} ${rest}\n`
}

function quoted(text: string): string {
  return `'${text.replaceAll(/['\\]/g, String.raw`\$&`)}'`
}
