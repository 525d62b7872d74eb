import { test } from 'node:test'
import { judgeApis } from '../../src/doctor/session-checks.ts'
import { neededApis } from '../../src/kafka/cluster-probe.ts'
import { expectFinding } from '../helpers/doctor.ts'

const every = (maxVersion: number) =>
  Object.fromEntries(Array.from({ length: 60 }, (_, key) => [key, { minVersion: 0, maxVersion }]))

test('a broker whose requests are too old, and one that does not know a request', () => {
  expectFinding([judgeApis(neededApis(every(3)))], ['failure', /needs Fetch 4-11 \(the broker has 0-3\)/, /Kafka 1\.0/])
  const { 19: _, ...without } = every(20)
  expectFinding(
    [judgeApis(neededApis(without))],
    ['failure', /CreateTopics 0-3 \(the broker has no such request\)/, /Kafka/],
  )
  expectFinding([judgeApis(neededApis(every(20)))], ['ok', /Produce 3-7 \(the broker has 0-20\)/])
})
