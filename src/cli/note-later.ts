import type { CommandToNote } from './noted-commands.ts'

/** A command ends before, or somebody may look for it. */
const AFTER_MS = 2000

/** Notes a command after 2 s, until it is closed. Nothing is loaded or written before. It throws nothing: the command works without. */
export function noteLater(noted: CommandToNote): { close(): Promise<void> } {
  let noting: Promise<() => Promise<void>> | null = null
  const timer = setTimeout(() => {
    noting = import('./noted-commands.ts').then(({ noteCommand }) => noteCommand(noted))
    noting.catch(() => {}) // `close` waits for it
  }, AFTER_MS).unref()
  return {
    async close() {
      clearTimeout(timer)
      await noting?.then(remove => remove()).catch(() => {})
    },
  }
}
