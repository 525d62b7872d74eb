import { type CommandSpec, defineCommand } from '../command.ts'
import { bashCompletion } from '../completion/bash.ts'
import { fishCompletion } from '../completion/fish.ts'
import { completionTable } from '../completion/table.ts'
import { zshCompletion } from '../completion/zsh.ts'
import { print } from '../standard-output.ts'

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion }

/** `commands` are all commands, this one too. */
export function completionCommand(
  commands: () => readonly CommandSpec[],
  groups: Readonly<Record<string, string>>,
): CommandSpec {
  return defineCommand({
    name: 'completion',
    doc: 'print a script that completes commands and options in a shell',
    operands: [{ name: 'SHELL', doc: 'bash, zsh or fish', choices: Object.keys(SHELLS) }],
    example: 'source <(rowmill completion bash)',
    options: [],
    async act([shell]) {
      print(SHELLS[shell as keyof typeof SHELLS](completionTable(commands(), groups)))
      return 0
    },
  })
}
