import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { visit } from '../../src/broker/kept/door.ts'
import { keptFiles } from '../../src/broker/kept/kept-folder.ts'
import { identify, isAlive } from '../../src/support/process-identity.ts'
import { until } from './until.ts'

/** A folder of this test alone with the place of a kept broker below it. The broker ends with the test, and then the folder. */
export function keptState(t: { after(fn: () => Promise<void>): void }, placeIn: (folder: string) => string) {
  const folder = mkdtempSync(join(tmpdir(), 'rowmill-kept-'))
  const place = placeIn(folder)
  t.after(async () => {
    const visited = await visit(keptFiles(place).door, 'look')
    if (typeof visited === 'object') {
      const keeper = identify(visited.state.pid)!
      process.kill(keeper.pid, 'SIGTERM')
      await until('the keeper ends', () => !isAlive(keeper))
    }
    rmSync(folder, { recursive: true, force: true })
  })
  return { folder, place }
}
