import type { CompletedCommand, CompletedOption, CompletionTable } from './table.ts'

/**
 * A completion script for bash, 3.2 or later. Bash before 4 has no compopt: there a file name is offered as it is, without
 * quotes. COMP_WORDBREAKS has an equals sign, unless the user took it out: both are completed.
 */
export function bashCompletion({ commands, options, first, groups }: CompletionTable): string {
  const wordsOf = (list: readonly { readonly word: string }[]) => list.map(({ word }) => word).join(' ')
  const groupNames = wordsOf(groups).replaceAll(' ', ' | ')
  const topOptions = options.flatMap(({ flags }) => flags).join(' ')
  const membersOf = groups.map(({ word, members }) => ({ word, members: wordsOf(members) }))
  return `# bash completion for rowmill. To load it: source <(rowmill completion bash)
_rowmill() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} command=\${COMP_WORDS[1]}
  local words='' files='' option=''
  case $command in ${groupNames} | help) command+=" \${COMP_WORDS[2]}" ;; esac
  if [[ $cur == = ]]; then
    cur=''
  elif [[ $prev == = && $COMP_CWORD -gt 2 ]]; then
    prev=\${COMP_WORDS[COMP_CWORD - 2]}
  elif [[ $cur == --*=* ]]; then
    prev=\${cur%%=*} option=$prev= cur=\${cur#*=}
  fi
  case $COMP_CWORD:$command in
    1:*) words='${wordsOf(first)}'; [[ $cur == -* ]] && words='${topOptions}' ;;
    '2:help '*) words='${wordsOf(first.filter(({ word }) => word !== 'help'))}' ;;
${membersOf.map(({ word, members }) => `    '2:${word} '* | '3:help ${word}') words='${members}' ;;\n`).join('')}\
    *:'help '*) ;;
    *)
      case $prev in
${valuesOf(commands)}\
        *)
          case $command in
${commands.map(optionsOf).join('')}\
          esac
          ;;
      esac
      ;;
  esac
  local IFS=$'\\n'
  if [[ $files && $cur != -* ]]; then
    compopt -o filenames 2>/dev/null
    COMPREPLY=($(compgen -P "$option" -f -- "$cur"))
  else
    COMPREPLY=($(IFS=' ' compgen -P "$option" -W "$words" -- "$cur"))
  fi
  return 0
}
complete -F _rowmill rowmill
`
}

/** One case for each option that takes a value. The same flag takes the same values in every command. */
function valuesOf(commands: readonly CompletedCommand[]): string {
  const cases = new Map<string, string>()
  for (const { flags, value } of commands.flatMap(({ options }) => options))
    if (value) cases.set(flags.join(' | '), actionOf(value))
  return [...cases].map(([flags, action]) => `        ${flags}) ${action} ;;\n`).join('')
}

function actionOf({ candidates }: NonNullable<CompletedOption['value']>): string {
  if (candidates === null) return 'return 0'
  return candidates === 'files' ? 'files=1' : `words='${candidates.join(' ')}'`
}

function optionsOf({ name, options, operands }: CompletedCommand): string {
  const words = options.flatMap(({ flags }) => flags)
  const choices = operands.flatMap(({ candidates }) => (Array.isArray(candidates) ? candidates : []))
  const files = operands.some(({ candidates }) => candidates === 'files') ? ' files=1' : ''
  return `            '${name}') words='${[...choices, ...words].join(' ')}'${files} ;;\n`
}
