import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { ErrorRecord } from '../../errors.ts'
import type { BrokerLogin } from '../broker-login.ts'

/**
 * What a command says at the door of a keeper, a line each. `use`: it is a user until this connection ends, however it ends.
 * `look`: it only asks. `stop`: the broker ends after its last user. `replace`: the broker does not answer this user.
 */
export type ToKeeper = 'use' | 'look' | 'stop' | 'replace'

/** The answer of the keeper. After it the broker stays as long as its user. */
export interface KeptState {
  readonly port: number
  readonly login: BrokerLogin
  readonly clusterId: string
  /** How many files the broker may open. Null: unknown. */
  readonly openFiles: number | null
  /** How many runs use it, with this one. */
  readonly runs: number
  /** When it ends unless a run comes, in ms from now. Null: runs use it, or it was told to stop. */
  readonly endsInMs: number | null
  readonly pid: number
}

export type FromKeeper = { readonly state: KeptState } | { readonly died: ErrorRecord }

/** A keeper that has not answered within this time is frozen. */
const ANSWER_MS = 3000

/** An open connection to a keeper. */
export interface Visit {
  readonly state: KeptState
  /** Resolves when the connection has ended, with the last words of the keeper. */
  readonly over: Promise<ErrorRecord | null>
  tell(word: ToKeeper): void
  leave(): void
}

/** Asks the keeper at this socket. `nobody`: no keeper listens there, or it is about to end. `silent`: the keeper does not answer. */
export function visit(path: string, word: ToKeeper): Promise<Visit | 'nobody' | 'silent'> {
  return new Promise(resolve => {
    const over = Promise.withResolvers<ErrorRecord | null>()
    let lastWords: ErrorRecord | null = null
    const socket: Socket = connect(path, () => socket.write(`${word}\n`))
    const timer = setTimeout(() => {
      resolve('silent')
      socket.destroy()
    }, ANSWER_MS)
    socket.on('error', () => {}) // `close` follows
    socket.on('close', () => {
      clearTimeout(timer)
      resolve('nobody')
      over.resolve(lastWords)
    })
    createInterface({ input: socket })
      .on('error', () => {}) // the socket reports it too
      .on('line', line => {
        const said: FromKeeper = JSON.parse(line)
        if ('died' in said) {
          lastWords = said.died
          return
        }
        clearTimeout(timer)
        const tell = (next: ToKeeper) => void socket.write(`${next}\n`)
        resolve({ state: said.state, over: over.promise, tell, leave: () => void socket.end() })
      })
  })
}
