import type { NeededApi } from '../kafka/cluster-probe.ts'
import { describeKafkaError } from '../kafka/index.ts'
import { type CheckFinding, type ClusterCheck, failure, ok, skipped, warning } from './check.ts'
import { registryClock } from './registry-check.ts'

/** One broker has this long. The client itself gives up earlier. */
const LIMIT_MS = 20_000
/** Tokens and certificates bear that much. */
const MOST_SKEW_MS = 30_000
/** Their versions tell how old a broker is. */
const TELLING_APIS = ['Produce', 'Fetch', 'Metadata']

/** Connects and logs in, as every command does. A broker that wants a login hangs up only at the first request after that. */
const login: ClusterCheck = {
  name: 'login',
  needs: ['addresses', 'tls'],
  limitMs: LIMIT_MS,
  async run({ cluster }) {
    const probe = await cluster.probe()
    await cluster.describe([])
    const { sasl } = cluster.settings.security ?? {}
    if (!sasl) return ok('security.protocol is without SASL, and the broker lets us in')
    const who = 'username' in sasl ? `${sasl.username} by ${sasl.mechanism}` : `a token by ${sasl.mechanism}`
    const seconds = Math.floor(probe.sessionMs / 1000)
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

/** Nothing is written: the controller tells its time when it is asked about the quorum, and the registry in each answer. */
const clock: ClusterCheck = {
  name: 'clock',
  needs: ['login'],
  limitMs: LIMIT_MS,
  async run({ cluster, machine, registry }, signal) {
    const probe = await cluster.probe()
    const timed = async (ask: () => Promise<number | null>) => {
      const before = machine.wallClock()
      const theirs = await ask()
      return { theirs, before, after: machine.wallClock() }
    }
    try {
      return judgeClock('the controller', await timed(() => probe.controllerClock()))
    } catch (error) {
      const why = `the cluster does not tell its time (${describeKafkaError(error).type})`
      if (registry === null) return skipped(`${why}: compare date -u there and here`)
      return judgeClock('the schema registry', await timed(() => registryClock(registry, signal)))
    }
  },
}

/** They looked at their clock at some moment between `before` and `after`. */
function judgeClock(
  whose: string,
  { theirs, before, after }: { theirs: number | null; before: number; after: number },
) {
  if (theirs === null) return skipped(`neither the cluster nor ${whose} tells its time: compare date -u there and here`)
  const skewMs = theirs < before ? theirs - before : Math.max(0, theirs - after)
  if (Math.abs(skewMs) <= MOST_SKEW_MS) return ok(`the clocks of this machine and of ${whose} agree`)
  const seconds = Math.round(Math.abs(skewMs) / 1000)
  return warning(
    `the clock of this machine is ${seconds} s ${skewMs < 0 ? 'ahead of' : 'behind'} that of ${whose}`,
    'a wrong clock makes tokens and certificates invalid. Synchronise both with NTP: timedatectl set-ntp true',
  )
}

export const SESSION_CHECKS: readonly ClusterCheck[] = [login, apiVersions, clock]
