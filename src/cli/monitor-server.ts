import { readFile } from 'node:fs/promises'
import { RowmillError } from '../errors.ts'
import type { MonitorServer, Route } from '../monitor/server.ts'
import { OPTIONS, type OptionValues } from '../options.ts'
import { isLoopback } from '../support/loopback.ts'
import type { Say } from '../support/say.ts'
import { isOpen, openWarning } from './open-file.ts'

/** The options that say who may ask, besides the port. */
export const SERVER_OPTIONS = ['metricsAddress', 'metricsTokenFile', 'metricsAllowedHost'] as const

export type ServerValues = OptionValues<(typeof SERVER_OPTIONS)[number]>

const TOKEN_FLAG = `--${OPTIONS.metricsTokenFile.flag}`
/** Nobody guesses a token of this length, if a program made it. */
const LEAST_TOKEN = 16

/** Listens for HTTP as the options say, before any work. Throws USAGE and PORT_UNUSABLE. */
export async function openMonitorServer(
  { port, metricsAddress: address, metricsTokenFile, metricsAllowedHost: names }: ServerValues & { port: number },
  routes: readonly Route[],
  say: Say,
): Promise<MonitorServer> {
  for (const name of names) checkHostName(name)
  const token = metricsTokenFile === null ? null : await readToken(metricsTokenFile, say)
  if (token === null && !isLoopback(address)) {
    const message = `--metrics-address ${address}: other machines could read it, so it needs a token. Give ${TOKEN_FLAG} FILE`
    throw new RowmillError('USAGE', message, { address })
  }
  const { openServer } = await import('../monitor/server.ts')
  return await openServer({ address, port, token, names, routes, say })
}

/** Throws USAGE for what no client says in its header Host, such as a URL: nobody would ever get in by it. */
function checkHostName(name: string): void {
  const said = /^[^\s/?#@\\]+$/.test(name) ? URL.parse(`http://${name}`)?.hostname : undefined
  if (said === name.toLowerCase()) return
  const flag = `--${OPTIONS.metricsAllowedHost.flag}`
  throw new RowmillError(
    'USAGE',
    `${flag} ${name}: give a name alone, such as mill.example, without http://, port or path`,
  )
}

/** The message never shows the token. */
async function readToken(path: string, say: Say): Promise<string> {
  const refuse = (why: string, cause?: unknown) =>
    new RowmillError('USAGE', `${TOKEN_FLAG} ${path}: ${why}`, { path }, { cause })
  const text = await readFile(path, 'utf8').catch(cause => {
    throw refuse(`the file cannot be read: ${cause.message}`, cause)
  })
  const token = text.replace(/\r?\n$/, '')
  if (!/^[\x21-\x7e]+$/.test(token)) throw refuse('the file must hold one line, the token, without spaces')
  if (token.length < LEAST_TOKEN)
    throw refuse(`the token is shorter than ${LEAST_TOKEN} characters. openssl rand -hex 32 makes a good one`)
  if (isOpen(path)) say(openWarning(path))
  return token
}
