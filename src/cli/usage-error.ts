import { OPTIONS, type OptionSpec } from '../options.ts'
import { nearest } from '../support/nearest.ts'
import type { CommandSpec } from './command.ts'

/**
 * What commander says of a wrong command line, as rowmill says it: with the nearest option or command, or with the
 * commands that have the option. It never shows the value of an unknown option, which may be a password. `name` is the
 * command or the group that refused it, or '' for rowmill itself.
 */
export function describeUsageError(text: string, name: string, commands: readonly CommandSpec[]): string {
  const [, option] = /^error: unknown option '(-{1,2}[^=']*)/.exec(text) ?? []
  if (option !== undefined) return unknownOption(option, name, commands)
  const [, command] = /^error: unknown command '(.*)'/.exec(text) ?? []
  if (command !== undefined) return unknownCommand(command, name, commands)
  return text.replace(/^error: /, '').trim()
}

function unknownOption(option: string, name: string, commands: readonly CommandSpec[]): string {
  const problem = `${name || 'rowmill'} has no option ${option}.`
  const see = `${['rowmill', name].join(' ').trim()} --help lists its options`
  const own = commands.find(spec => spec.name === name)
  const owners = commands.filter(spec => flagsOf(spec).includes(option)).map(spec => spec.name)
  const below = owners.find(owner => owner.startsWith(name))
  if (!own && below) return `${problem} Give it after the command: rowmill ${below} ${option}`
  if (owners.length > 0) return `${problem} These commands have it: ${owners.join(', ')}. ${see}`
  const near = own ? nearest(option, flagsOf(own)) : null
  return near ? `${problem} Did you mean ${near}? ${see}` : `${problem} ${see}`
}

function unknownCommand(command: string, group: string, commands: readonly CommandSpec[]): string {
  const siblings = group === '' ? topLevel(commands) : membersOf(group, commands)
  if (siblings.length === 0) return `${group} has no commands of its own`
  const near = nearest(command, siblings)
  const hint = near ? `Did you mean ${near}?` : `It has ${siblings.join(', ')}`
  return group === ''
    ? `there is no command ${command}. ${near ? hint : 'rowmill --help lists them'}`
    : `${group} has no command ${command}. ${hint}`
}

function flagsOf({ options }: CommandSpec): string[] {
  return options.flatMap(name => {
    const { flag, short, alias }: OptionSpec<unknown> = OPTIONS[name]
    return [`--${flag}`, ...(short ? [`-${short}`] : []), ...(alias ? [`--${alias}`] : [])]
  })
}

/** The words that may follow `rowmill`: commands and groups. */
function topLevel(commands: readonly CommandSpec[]): string[] {
  return [...new Set(commands.map(({ name }) => name.split(' ')[0]!))]
}

/** The words that may follow the word of a group. */
function membersOf(group: string, commands: readonly CommandSpec[]): string[] {
  return commands.map(({ name }) => name.split(' ')).flatMap(([first, own]) => (first === group && own ? [own] : []))
}
