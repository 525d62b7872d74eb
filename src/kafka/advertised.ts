import type Cluster from 'kafkajs/src/cluster/index.js'

const BEGIN = 'the bootstrap server says that broker'

/** What went wrong at an address that a cluster advertised, with the cure. Null: the user gave this address. */
export function describeAdvertised(
  cluster: Cluster,
  bootstrap: readonly string[],
  { host, port, said }: { host: string; port: number; said: string },
): string | null {
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  const broker = cluster.brokerPool.metadata?.brokers.find(each => each.host === host && each.port === port)
  if (broker === undefined || bootstrap.includes(address)) return null
  const { nodeId } = broker
  return (
    `${BEGIN} ${nodeId} is at ${address}, and this machine cannot connect to it (${said}). Does broker ${nodeId} run? If so, set its ` +
    'advertised.listeners to an address that this machine reaches. rowmill doctor examines every broker'
  )
}

/** Whether the text is one of `describeAdvertised`. */
export function isOfAdvertised(text: string): boolean {
  return text.startsWith(BEGIN)
}
