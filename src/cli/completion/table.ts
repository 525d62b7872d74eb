import type { OptionName, OptionSpec } from '../../options.ts'
import { INDEX_KINDS } from '../../pandas/index-kind.ts'
import { type CommandSpec, commandOption, describeOption, type Operand } from '../command.ts'

/** What may be typed for a value: one of a few words, the name of a file, or something that cannot be completed. */
export type Candidates = readonly string[] | 'files' | null

export interface CompletedOption {
  /** `--brokers`, and after it `--bootstrap-server`, `-b` and the like. */
  readonly flags: readonly [string, ...string[]]
  readonly doc: string
  /** Whether it may be given several times. */
  readonly isRepeated: boolean
  /** Undefined for a switch, which has no value. */
  readonly value: { readonly name: string; readonly candidates: Candidates } | undefined
}

export interface CompletedCommand {
  readonly name: string
  readonly doc: string
  readonly options: readonly CompletedOption[]
  readonly operands: readonly { readonly name: string; readonly candidates: Candidates }[]
}

/** What a shell has to know of the commands. */
export interface CompletionTable {
  readonly commands: readonly CompletedCommand[]
  /** The options of rowmill itself. */
  readonly options: readonly CompletedOption[]
  /** Of each word that may follow `rowmill`, its description. */
  readonly first: readonly { readonly word: string; readonly doc: string }[]
  /** Of each group, the words that may follow its word. */
  readonly groups: readonly {
    readonly word: string
    readonly members: readonly { readonly word: string; readonly doc: string }[]
  }[]
}

export function completionTable(
  commands: readonly CommandSpec[],
  groups: Readonly<Record<string, string>>,
): CompletionTable {
  const words = commands.map(({ name, doc }) => ({ words: name.split(' '), doc }))
  return {
    commands: commands.map(spec => ({
      name: spec.name,
      doc: spec.doc,
      options: [...spec.options.map(name => completedOption(name, commandOption(spec, name))), ...COMMON],
      operands: spec.operands.map(operand => ({ name: operand.name, candidates: candidatesOf(operand) })),
    })),
    options: COMMON,
    first: [
      ...words.flatMap(({ words: [word, own], doc }) => (own === undefined ? [{ word: word!, doc }] : [])),
      ...Object.entries(groups).map(([word, doc]) => ({ word, doc })),
      { word: 'help', doc: 'show the help of a command' },
    ],
    groups: Object.keys(groups).map(group => ({
      word: group,
      members: words.flatMap(({ words: [word, own], doc }) => (word === group && own ? [{ word: own, doc }] : [])),
    })),
  }
}

/** What every command has. */
const COMMON: readonly CompletedOption[] = [
  { flags: ['--help', '-h'], doc: 'show help', isRepeated: false, value: undefined },
  { flags: ['--version', '-V'], doc: 'print the version', isRepeated: false, value: undefined },
]

/** Options with a list of values that the name of the value does not show. */
const LISTS: Partial<Record<OptionName, readonly string[]>> = { indexKind: INDEX_KINDS }

function completedOption(name: OptionName, spec: OptionSpec<unknown>): CompletedOption {
  const { flag, alias, short, value } = spec
  return {
    flags: [`--${flag}`, ...(alias ? [`--${alias}`] : []), ...(short ? [`-${short}`] : [])],
    doc: describeOption(spec),
    isRepeated: Array.isArray(spec.fallback),
    value: value === null ? undefined : { name: value, candidates: LISTS[name] ?? candidatesOfValue(value) },
  }
}

/** The ids of jobs are not known without a broker. */
function candidatesOf({ name, choices }: Operand): Candidates {
  return choices ?? (name === 'JOB...' ? null : 'files')
}

/** `text|json` are words. `FILE`, `DIR` and the like name a file. */
function candidatesOfValue(value: string): Candidates {
  if (/^[a-z0-9]+(\|[a-z0-9]+)+$/.test(value)) return value.split('|')
  return /^(FILE|PATH|DIR|OUT|SERIAL)\b/.test(value) ? 'files' : null
}
