import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GroupMember, type MemberHandlers } from '../../src/kafka/member.ts'

/** What a member does whose broker answers a join with these errors, and then lets it join and leave. */
async function runWith(...errors: Error[]): Promise<string[]> {
  const stop = new AbortController()
  const troubles: string[] = []
  const group = {
    joinAndSync: async () => {
      const error = errors.shift()
      if (error) throw error
      stop.abort()
    },
    isLeader: () => false,
    assigned: () => [],
    leave: async () => {},
  }
  const member = new GroupMember({
    ...{ group: group as never, cluster: {} as never, rights: {} as never, sockets: new Set() },
    ...{ groupId: 'g', topics: [] },
  })
  const handlers: MemberHandlers = {
    onAssigned: () => {},
    onRebalance: () => {},
    onTrouble: ({ message }) => troubles.push(message),
  }
  await member.run(handlers, stop.signal)
  return troubles
}

const withType = (type: string, more: object = {}) => Object.assign(new Error('no'), { type, ...more })

test('a member that the broker refuses for good ends with the reason, and does not retry', async () => {
  const login = runWith(withType('SASL_AUTHENTICATION_FAILED'))
  await assert.rejects(login, { code: 'AUTHENTICATION_FAILED', message: /^group g: the broker refuses the login: no/ })
  const tls = runWith(Object.assign(new Error('no'), { code: 'CERT_HAS_EXPIRED' }))
  await assert.rejects(tls, { code: 'TLS_FAILED', message: /^group g: .*has expired/ })
})

test('a member retries what may pass, and reports it', async () => {
  const passing = [
    withType('COORDINATOR_NOT_AVAILABLE'),
    withType('ILLEGAL_GENERATION'),
    new Error('Closed connection'),
  ]
  assert.deepEqual(await runWith(...passing), ['no', 'Closed connection'])
})

test('a member that is woken asks its group at once, and not at its next heartbeat', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] }) // no heartbeat is due
  const stop = new AbortController()
  const asked = Promise.withResolvers<void>()
  const joined: string[] = []
  const group = {
    memberId: 'm-1',
    joinAndSync: async () => {},
    isLeader: () => false,
    assigned: () => [],
    heartbeat: async () => asked.resolve(),
    leave: async () => {},
  }
  const member = new GroupMember({
    ...{ group: group as never, cluster: {} as never, rights: {} as never, sockets: new Set() },
    ...{ groupId: 'g', topics: [] },
  })
  const handlers: MemberHandlers = {
    onJoined: id => joined.push(id),
    onAssigned: () => {},
    onRebalance: () => {},
    onTrouble: error => assert.fail(error),
  }
  const running = member.run(handlers, stop.signal)
  member.wake()
  await asked.promise
  assert.deepEqual(joined, ['m-1'])
  stop.abort()
  await running
})
