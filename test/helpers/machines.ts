import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { startLocalBroker } from '../../src/broker/local-broker.ts'
import { BIN, startProgram } from './cli.ts'
import { freePort } from './free-port.ts'

/** A network namespace needs root, and a kernel that has them. */
export const NO_MACHINES = ((): string | false => {
  const name = `rowmill-${randomBytes(4).toString('hex')}`
  const added = spawnSync('ip', ['netns', 'add', name], { encoding: 'utf8' })
  if (added.error || added.status !== 0) return `no network namespace can be made here: ${added.error ?? added.stderr}`
  ip('netns', 'delete', name)
  return false
})()

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] })
}

/**
 * Machines of this machine: each is a network namespace with a host name and an address of its own. A bridge connects them, and a
 * broker that listens there. They share process ids and files. All is gone when the test ends.
 */
export class Machines {
  readonly #names: readonly string[]
  readonly #prefix = `rm${randomBytes(4).toString('hex')}`
  readonly #network = `10.237.${randomInt(1, 255)}`
  #port = 0

  private constructor(names: readonly string[]) {
    this.#names = names
  }

  static async open(t: { after(fn: () => Promise<void> | void): void }, names: readonly string[]): Promise<Machines> {
    const machines = new Machines(names)
    t.after(() => machines.#remove())
    machines.#connect()
    const broker = await machines.#startBroker()
    t.after(() => broker.close())
    return machines
  }

  /** Where every machine reaches the broker. */
  get brokers(): string {
    return `${this.#network}.1:${this.#port}`
  }

  address(name: string): string {
    return `${this.#network}.${this.#names.indexOf(name) + 2}`
  }

  /** A rowmill command there. `child` is its process. */
  start(name: string, args: readonly string[], pipeline: string) {
    const inside = ['netns', 'exec', this.#namespace(name), 'unshare', '--uts']
    const named = ['sh', '-c', 'hostname "$0" && exec "$@"', name]
    return startProgram('ip', [...inside, ...named, process.execPath, BIN, ...args], {
      env: { ROWMILL_BROKERS: this.brokers, ROWMILL_PIPELINE: pipeline },
    })
  }

  /** Its cable is pulled: no packet comes or goes, and nobody is told. */
  cut(name: string): void {
    ip('link', 'set', this.#cable(name), 'down')
  }

  mend(name: string): void {
    ip('link', 'set', this.#cable(name), 'up')
  }

  #namespace(name: string): string {
    return `${this.#prefix}-${name}`
  }

  /** Its end at the bridge. */
  #cable(name: string): string {
    return `${this.#prefix}.${this.#names.indexOf(name)}`
  }

  #connect(): void {
    ip('link', 'add', this.#prefix, 'type', 'bridge')
    ip('address', 'add', `${this.#network}.1/24`, 'dev', this.#prefix)
    ip('link', 'set', this.#prefix, 'up')
    for (const name of this.#names) {
      const namespace = this.#namespace(name)
      ip('netns', 'add', namespace)
      ip('link', 'add', this.#cable(name), 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace)
      ip('link', 'set', this.#cable(name), 'master', this.#prefix, 'up')
      ip('-netns', namespace, 'address', 'add', `${this.address(name)}/24`, 'dev', 'eth0')
      for (const device of ['lo', 'eth0']) ip('-netns', namespace, 'link', 'set', device, 'up')
    }
  }

  async #startBroker() {
    this.#port = await freePort()
    const [local, controller] = [await freePort(), await freePort()]
    const outside = [`PLAINTEXT://127.0.0.1:${local}`, `MACHINES://${this.brokers}`]
    return await startLocalBroker({
      port: local,
      properties: {
        listeners: [...outside, `CONTROLLER://127.0.0.1:${controller}`].join(','),
        'advertised.listeners': outside.join(','),
        'controller.quorum.voters': `1@127.0.0.1:${controller}`,
        'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,MACHINES:PLAINTEXT,CONTROLLER:PLAINTEXT',
      },
    })
  }

  /** A namespace stays without its name while sockets in it still say goodbye. So its cable is deleted by itself. */
  #remove(): void {
    for (const device of [...this.#names.map(name => this.#cable(name)), this.#prefix])
      if (spawnSync('ip', ['link', 'show', device]).status === 0) ip('link', 'delete', device)
    const there = execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' })
    for (const name of this.#names)
      if (there.includes(this.#namespace(name))) ip('netns', 'delete', this.#namespace(name))
  }
}
