import type { Candidates, CompletedCommand, CompletedOption, CompletionTable } from './table.ts'

/** A completion script for zsh: a file `_rowmill` in a folder of fpath, or something to source after compinit. */
export function zshCompletion({ commands, options, first, groups }: CompletionTable): string {
  return `#compdef rowmill
# zsh completion for rowmill. To load it: source <(rowmill completion zsh)
_rowmill() {
  local -i depth=1
  local -a commands
  local help=
  if [[ $words[2] == help ]] && (( CURRENT > 2 )); then
    help=1
    shift words
    (( CURRENT-- ))
  fi
  [[ $words[2] == (${groups.map(({ word }) => word).join('|')}) ]] && depth=2
  if (( CURRENT == 2 )) && [[ -z $help && $PREFIX == -* ]]; then
    _arguments ${options.flatMap(optionSpecs).join(' ')}
    return
  elif (( CURRENT == 2 )); then
    commands=(${described(first)})
    _describe command commands
    return
  elif (( CURRENT == 3 && depth == 2 )); then
    case $words[2] in
${groups.map(({ word, members }) => `      (${word}) commands=(${described(members)}) ;;\n`).join('')}\
    esac
    _describe command commands
    return
  fi
  [[ -n $help ]] && return
  local command="\${(j: :)words[2,depth+1]}"
  words=(rowmill "\${(@)words[depth+2,-1]}")
  (( CURRENT -= depth ))
  case $command in
${commands.map(argumentsOf).join('')}\
  esac
}
compdef _rowmill rowmill
`
}

function described(words: readonly { readonly word: string; readonly doc: string }[]): string {
  return words.map(({ word, doc }) => quoted(`${word}:${doc}`)).join(' ')
}

function argumentsOf({ name, options, operands }: CompletedCommand): string {
  const specs = [...options.flatMap(optionSpecs), ...operands.map(operandSpec)]
  return `    (${quoted(name)})\n      _arguments ${specs.join(' \\\n        ')}\n      ;;\n`
}

function optionSpecs({ flags, doc, isRepeated, value }: CompletedOption): string[] {
  const what = `[${doc.replaceAll(/[[\]\\]/g, String.raw`\$&`)}]`
  const argument = value ? `:${value.name.replaceAll(':', String.raw`\:`)}:${actionOf(value.candidates)}` : ''
  const begin = isRepeated ? '*' : `(${flags.join(' ')})`
  return flags.map(flag => quoted(`${begin}${flag}${what}${argument}`))
}

function operandSpec({ name, candidates }: CompletedCommand['operands'][number], at: number): string {
  const place = name.endsWith('...') ? '*' : at + 1
  return quoted(`${place}:${name}:${actionOf(candidates)}`)
}

function actionOf(candidates: Candidates): string {
  if (candidates === null) return ' '
  return candidates === 'files' ? '_files' : `(${candidates.join(' ')})`
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}
