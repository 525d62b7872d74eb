import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { visit } from '../../src/broker/kept/door.ts'
import { type KeptBroker, type KeptBrokerOptions, openKeptBroker } from '../../src/broker/kept/kept-broker.ts'
import { keptFiles } from '../../src/broker/kept/kept-folder.ts'
import { Kafka } from '../../src/kafka/index.ts'
import { identify, isAlive, type ProcessIdentity } from '../../src/support/process-identity.ts'
import { keptState } from './kept-state.ts'
import { descendants } from './processes.ts'
import { until } from './until.ts'

/** A place for a broker of this test alone. Nothing of it runs after the test. */
export function keptPlace(t: TestContext, idleMs: number) {
  const { place: folder } = keptState(t, made => join(made, 'state', 'broker'))
  mkdirSync(dirname(folder))
  const load = { partitions: 8, workers: 2 }
  const tryOpen = (more: Pick<KeptBrokerOptions, 'startMs' | 'onLaunched'> = {}) =>
    openKeptBroker({ folder, load, idleMs, signal: t.signal, say: text => t.diagnostic(text), ...more })
  const open = async () => {
    const broker = await tryOpen()
    assert.ok(typeof broker !== 'string', `${broker}`)
    return broker
  }
  const ask = (word: 'look' | 'stop') => visit(keptFiles(folder).door, word)
  const keeper = async () => {
    const visited = await ask('look')
    assert.ok(typeof visited !== 'string', `${visited}`)
    visited.leave()
    return identify(visited.state.pid)!
  }
  const stop = async () => {
    const last = await keeper()
    await ask('stop')
    await untilEnded(last)
  }
  return { folder, tryOpen, open, keeper, stop }
}

export function untilEnded(one: ProcessIdentity): Promise<void> {
  return until(`process ${one.pid} ends`, () => !isAlive(one))
}

/** The Kafka of a keeper. */
export function jvmOf(keeper: ProcessIdentity): ProcessIdentity {
  return identify(descendants(keeper.pid).find(({ name }) => name === 'java')!.pid)!
}

/** The topics of the pipeline `mine`, which shows that the broker answers. */
export async function listTopics({ cluster }: KeptBroker): Promise<string[]> {
  const admin = await new Kafka({ ...cluster, clientId: 'test' }).admin()
  try {
    return [...(await admin.partitions(['mine.jobs'])).keys()]
  } finally {
    await admin.close()
  }
}
