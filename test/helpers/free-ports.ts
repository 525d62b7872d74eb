import { choosePorts } from '../../src/broker/ports.ts'

/** Free ports without duplicates: the future listener on one does not listen yet. */
export function freePorts(): () => Promise<number> {
  const given = new Set<number>()
  return async () => {
    for (;;) {
      const { broker: port } = await choosePorts(undefined)
      if (given.has(port)) continue
      given.add(port)
      return port
    }
  }
}
