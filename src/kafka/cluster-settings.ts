import type { ClientLimits } from './limits.ts'
import type { ClusterSecurity } from './security.ts'

/** Which cluster, and how to reach it. Plain data, which worker processes get over their channel. */
export interface ClusterSettings {
  /** `host:port` of one or more brokers. */
  readonly brokers: readonly string[]
  /** Default: neither TLS nor a login. */
  readonly security?: ClusterSecurity
  readonly limits?: ClientLimits
}
