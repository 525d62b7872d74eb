import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { RowmillError } from '../errors.ts'
import { readSwitch } from '../parse-option.ts'
import { realTime, type Time } from '../support/clock.ts'
import { identify } from '../support/process-identity.ts'
import type { Say } from '../support/say.ts'
import { newMark } from '../support/started-processes.ts'
import { removeAbandoned, socketPath } from './abandoned-sockets.ts'
import { afterSilence } from './after-silence.ts'
import { PythonChild } from './child.ts'
import type { ForkServerAddress } from './forked-process.ts'

/** The path of a Unix socket has no room for more (sun_path in unix(7)). */
const LONGEST_PATH_BYTES = 107
/** It serves within this time, or it is killed, as when somebody stopped it. An import takes 0.3 s, a few on a busy machine. */
const IMPORT_MS = 30_000

export interface ForkServerOptions {
  readonly python: string
  /** The program, a file of rowmill that serves with these arguments and the path of the socket after them. */
  readonly script: string
  readonly args: readonly string[]
  /** Told in one sentence why it cannot serve, if each Python does not tell the same. */
  readonly say: Say
  /** Default: real time. */
  readonly time?: Time
}

/**
 * A Python process that has imported pandas, and forks a process for each worker before the user's code is loaded. So the
 * import is paid for once. It has one thread, and serves on a socket in a folder that only this user can open. Its processes
 * end with it, and it ends with this process, however this process ends.
 *
 * All its processes have the same hash seed. So the probe of a job starts a Python of its own: otherwise it would not see that
 * a result depends on the order of a set.
 */
export class ForkServer {
  readonly #child: PythonChild<{ readonly ready?: true }>
  readonly #socket: string
  readonly #removal = removeAbandoned()
  #gone: Promise<void> | null = null
  /** Where it serves, as soon as it does. Null: it cannot, and each worker starts its Python itself. Never rejects. */
  readonly address: Promise<ForkServerAddress | null>

  private constructor({ python, script, args, say, time = realTime }: ForkServerOptions, socket: string) {
    this.#socket = socket
    let isSilent = true
    const onOutput = () => {
      isSilent = false
    }
    this.#child = new PythonChild({
      ...{ python, script, args: [...args, this.#socket], name: 'the fork server', onOutput },
      mark: `${newMark()}/${'0'.repeat(16)}`, // a forked process writes its own mark over it: that of a worker's Python is as long
      died: ({ how, said, facts }) => new RowmillError('INTERNAL', `the fork server ended with ${how}. ${said}`, facts),
    })
    // Each worker would have printed it too.
    this.address = this.#child.next().then(
      () => (isSilent ? this.#address() : null),
      ({ facts: { signal } }: RowmillError) => {
        if (signal)
          say(`the fork server ended with signal ${signal} before it served: each Python now starts by itself`, {
            level: 'warn',
          })
        return null
      },
    )
    const killSilent = () => {
      const what = `the fork server (pid ${this.#child.pid}) did not import pandas within ${IMPORT_MS / 1000} s and was killed`
      say(`${what}: each Python now starts by itself`, { level: 'warn' })
      void this.#child.close(new RowmillError('INTERNAL', what))
    }
    afterSilence(this.address, killSilent, { ms: IMPORT_MS, time })
  }

  /** Null where processes are not to be forked, or cannot be. Throws USAGE if ROWMILL_FORK is neither true nor false. */
  static start(options: ForkServerOptions): ForkServer | null {
    if (process.platform !== 'linux' || !readSwitch(process.env, 'ROWMILL_FORK', true)) return null
    const socket = socketPath(randomBytes(4).toString('hex'))
    return Buffer.byteLength(socket) > LONGEST_PATH_BYTES ? null : new ForkServer(options, socket)
  }

  #address(): ForkServerAddress | null {
    const server = identify(this.#child.pid!)
    return server && { socket: this.#socket, server }
  }

  /** Ends it and its processes. Twice is fine. */
  close(): Promise<void> {
    this.#gone ??= this.#close()
    return this.#gone
  }

  async #close(): Promise<void> {
    await this.#child.close(new RowmillError('INTERNAL', 'the fork server was closed'))
    rmSync(dirname(this.#socket), { recursive: true, force: true })
    await this.#removal
  }
}
