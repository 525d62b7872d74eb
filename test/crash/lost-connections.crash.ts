/** All connections are cut when the broker answers one request of a command, while it starts, works or ends. Each command continues. */
import { after, test } from 'node:test'
import { brokerBehindProxy } from '../helpers/proxied-broker.ts'
import { seeded } from '../helpers/seeded.ts'
import { assertCode, Fire, TWO_MOVE } from './fire.ts'

/** Whose requests, by their client id, and about how many there are in a job of 300 rows. */
const CLIENTS: readonly [string, (client: string) => boolean, number][] = [
  ['publish', client => client === 'rowmill-publish', 39],
  ['work', client => client === 'rowmill-work', 28],
  ['a worker', client => !client.startsWith('rowmill-'), 40],
  ['collect', client => client === 'rowmill-collect', 30],
]
const CUTS = 2

const proxy = await brokerBehindProxy({ after }) // of all tests of this file

for (const [who, isOf, requests] of CLIENTS) {
  test(`all connections are cut at any request of ${who}`, async t => {
    const random = seeded(t)
    for (let cut = 0; cut < CUTS; cut++) {
      const fire = await Fire.open(t, { rows: 300, brokers: proxy.address })
      const at = random(requests)
      t.diagnostic(`request ${at}`)
      cutAt(at, isOf)
      const working = fire.work(1)
      for (const { finished } of [fire.publish(), fire.collect()]) assertCode(await finished, 0)
      await fire.drain(working)
      await fire.check({ again: TWO_MOVE })
    }
  })
}

function cutAt(at: number, isOf: (client: string) => boolean): void {
  let seen = 0
  void proxy.answer(({ client }) => {
    if (isOf(client) && seen++ === at) proxy.cut()
    return seen > at
  })
}
