import type { CompletedCommand, CompletedOption, CompletionTable } from './table.ts'

/** A completion script for bash, 3.2 or later. */
export function bashCompletion({ commands, first, groups }: CompletionTable): string {
  const wordsOf = (list: readonly { readonly word: string }[]) => list.map(({ word }) => word).join(' ')
  const groupNames = wordsOf(groups).replaceAll(' ', ' | ')
  return `# bash completion for rowmill. To load it: source <(rowmill completion bash)
_rowmill() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} command=\${COMP_WORDS[1]} words='' files=''
  case $command in ${groupNames}) command+=" \${COMP_WORDS[2]}" ;; esac
  case $COMP_CWORD:$command in
    1:*) words='${wordsOf(first)}' ;;
${groups.map(({ word, members }) => `    '2:${word} '*) words='${wordsOf(members)}' ;;\n`).join('')}\
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
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  local IFS=$'\\n'
  [[ $files && $cur != -* ]] && COMPREPLY+=($(compgen -f -- "$cur"))
  return 0
}
complete -o filenames -F _rowmill rowmill
`
}

/** One case for each option that takes a value. The same flag takes the same kind of value in every command. */
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
