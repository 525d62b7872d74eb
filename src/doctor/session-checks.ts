import type { NeededApi } from '../kafka/cluster-probe.ts'
import { describeKafkaError } from '../kafka/index.ts'
import { type CheckFinding, type ClusterCheck, failure, ok, skipped, warning } from './check.ts'

/** One broker has this long. The client itself gives up earlier. */
const LIMIT_MS = 20_000
/** Tokens and certificates bear that much. */
const MOST_SKEW_MS = 30_000
/** Their versions tell how old a broker is. */
const TELLING_APIS = ['Produce', 'Fetch', 'Metadata']

/** Connects and logs in, as every command does. */
const login: ClusterCheck = {
  name: 'login',
  needs: ['addresses', 'tls'],
  limitMs: LIMIT_MS,
  async run({ cluster }) {
    const probe = await cluster.probe()
    const { sasl } = cluster.settings.security ?? {}
    if (!sasl) return ok('the cluster asks for no login by SASL')
    const who = 'username' in sasl ? `${sasl.username} by ${sasl.mechanism}` : `a token by ${sasl.mechanism}`
    const seconds = probe.sessionMs / 1000
    return ok(`${who}; ${seconds === 0 ? 'it lasts as long as the connection' : `it is renewed within ${seconds} s`}`)
  },
}

const apiVersions: ClusterCheck = {
  name: 'api-versions',
  needs: ['login'],
  limitMs: LIMIT_MS,
  async run({ cluster }) {
    const { neededApis } = await cluster.probe()
    return judgeApis(neededApis)
  },
}

export function judgeApis(needed: readonly NeededApi[]): CheckFinding {
  const describe = ({ name, ours, theirs }: NeededApi) =>
    `${name} ${ours} (the broker has ${theirs ?? 'no such request'})`
  const missing = needed.filter(({ fits }) => !fits)
  if (missing.length > 0)
    return failure(
      `rowmill needs ${missing.map(describe).join(', ')}`,
      'use Kafka 1.0 or later, or a service that speaks its protocol',
    )
  const shown = needed.filter(({ name }) => TELLING_APIS.includes(name))
  return ok(
    `the broker has all ${needed.length} requests that rowmill needs, such as ${shown.map(describe).join(', ')}`,
  )
}

/** The controller tells its time when it is asked about the quorum. Nothing is written. */
const clock: ClusterCheck = {
  name: 'clock',
  needs: ['login'],
  limitMs: LIMIT_MS,
  async run({ cluster, machine }) {
    const probe = await cluster.probe()
    const before = machine.wallClock()
    let theirs: number
    try {
      theirs = await probe.controllerClock()
    } catch (error) {
      return skipped(
        `the cluster does not tell its time (${describeKafkaError(error).type}): compare date -u there and here`,
      )
    }
    const after = machine.wallClock()
    // The controller looked at its clock at some moment between the two.
    const skewMs = theirs < before ? theirs - before : Math.max(0, theirs - after)
    if (Math.abs(skewMs) <= MOST_SKEW_MS) return ok(`the clocks of this machine and of the controller agree`)
    const seconds = Math.round(Math.abs(skewMs) / 1000)
    return warning(
      `the clock of this machine is ${seconds} s ${skewMs < 0 ? 'ahead of' : 'behind'} that of the controller`,
      'synchronise both with NTP. Tokens and certificates are refused by a wrong clock',
    )
  },
}

export const SESSION_CHECKS: readonly ClusterCheck[] = [login, apiVersions, clock]
