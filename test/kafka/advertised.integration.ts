/** A cluster whose bootstrap server answers, and then names an address that this machine cannot reach. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { startLocalBroker } from '../../src/broker/local-broker.ts'
import type { LocalBroker } from '../../src/broker/running-broker.ts'
import { rowmill, testFolder } from '../helpers/cli.ts'
import { freePort } from '../helpers/free-port.ts'
import { waitingClassifier } from '../helpers/waiting-classifier.ts'

let broker: LocalBroker
let closed: number
before(async () => {
  closed = await freePort()
  broker = await startLocalBroker({ properties: { 'advertised.listeners': `PLAINTEXT://127.0.0.1:${closed}` } })
})
after(() => broker.close())

test('every command says which broker is where, that this machine cannot connect to it, and how to cure that', async t => {
  const folder = testFolder(t)
  const [input, out] = [join(folder, 'in.csv'), join(folder, 'out.csv')]
  writeFileSync(input, 'ID,A\n1,x\n')
  const classify = ['--classifier', waitingClassifier(folder).file, '--workers', '1']
  const job = ['--job', 'j']
  const commands = [
    ['run', input, join(folder, 'run.csv'), ...classify],
    ['publish', input],
    ['work', ...classify],
    ['collect', out, ...job],
    ['tail', ...job],
    ['verify', input, ...job],
    ['jobs', 'list'],
    ['rejects', 'list', ...job],
    ['topics', 'check'],
    ['topics', 'apply'],
  ]
  const ended = commands.map(async args => ({
    command: args[0],
    ...(await rowmill([
      ...args,
      '--brokers',
      broker.address,
      ...(args[0] === 'topics' ? [] : ['--broker-timeout', '3']),
    ])),
  }))
  const line = new RegExp(
    `^rowmill: (cannot .*: )?the bootstrap server says that broker 1 is at 127\\.0\\.0\\.1:${closed}, and this machine cannot ` +
      `connect to it \\(connect ECONNREFUSED 127\\.0\\.0\\.1:${closed}\\)\\. .*advertised\\.listeners.*rowmill doctor.*BROKER_UNREACHABLE`,
    'm',
  )
  for (const { command, code, stderr } of await Promise.all(ended)) {
    assert.equal(code, 3, `${command}: ${stderr}`)
    assert.match(stderr, line, command)
  }
})
