import type { Command } from 'commander'

/** Adds `help [COMMAND...]` to rowmill or to a group. It prints what --help prints, also of a command in a group. */
export function addHelpCommand(parent: Command): void {
  parent.helpCommand(false) // the one of commander looks at one word only
  parent
    .command('help')
    .argument('[COMMAND...]', 'a command, such as jobs list')
    .description('show the help of a command')
    .helpOption('-h, --help', 'show help')
    .action((words: readonly string[]) => commandOf(parent, words).help())
}

/** The command with these words. Fails as commander does for a word that is no command. */
function commandOf(parent: Command, words: readonly string[]): Command {
  let command = parent
  for (const word of words) {
    const next = command.commands.find(candidate => candidate.name() === word)
    if (!next) return command.error(`error: unknown command '${word}'`, { code: 'commander.unknownCommand' })
    command = next
  }
  return command
}
