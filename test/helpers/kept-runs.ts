import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { localCluster } from '../../src/broker/broker-login.ts'
import { visit } from '../../src/broker/kept/door.ts'
import { keptFiles, keptFolder } from '../../src/broker/kept/kept-folder.ts'
import { Kafka } from '../../src/kafka/index.ts'
import { topicsOf } from '../../src/pipeline/topic-names.ts'
import { identify } from '../../src/support/process-identity.ts'
import { version } from '../../src/support/version.ts'
import { startRowmill } from './cli.ts'
import { keptState } from './kept-state.ts'
import { until } from './until.ts'
import { waitingClassifier } from './waiting-classifier.ts'

/** A run that keeps its broker, whose classifier waits until `go` is written, and the keeper of that broker. */
export async function waitingRun(t: TestContext, { folder, input, env, look }: ReturnType<typeof placeForRuns>) {
  const { file, waits, go } = waitingClassifier(folder)
  const output = join(folder, 'out.csv')
  const args = ['run', input, output, '--keep', '--classifier', file, '--workers', '1', '--batch-rows', '50']
  const { child, finished } = startRowmill(args, { env })
  t.after(() => child.kill('SIGKILL'))
  await until('the classifier waits', () => existsSync(waits))
  const keeper = identify((await look()).pid)!
  return { classifier: file, go, output, child, finished, keeper }
}

/** A file of rows, and a folder of this test alone for its kept broker, which ends with the test. */
export function placeForRuns(t: TestContext, rows = 20) {
  const envOf = (folder: string) => ({ XDG_STATE_HOME: join(folder, 'state') })
  const { folder, place: kept } = keptState(t, made => keptFolder(version(), envOf(made))!)
  const input = join(folder, 'in.csv')
  writeFileSync(input, `ID,A\n${Array.from({ length: rows }, (_, row) => `${row},x${row}\n`).join('')}`)
  const look = async () => {
    const visited = await visit(keptFiles(kept).door, 'look')
    assert.ok(typeof visited !== 'string', `${visited}`)
    visited.leave()
    return visited.state
  }
  const topicsThere = async (pipeline: string) => {
    const { port, login } = await look()
    const cluster = localCluster(`127.0.0.1:${port}`, login)
    const admin = await new Kafka({ ...cluster, clientId: 'test' }).admin()
    try {
      return [...(await admin.partitions(Object.values(topicsOf(pipeline)))).keys()]
    } finally {
      await admin.close()
    }
  }
  return { folder, kept, input, env: envOf(folder), look, topicsThere }
}
