import { once } from 'node:events'
import { type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http'
import { text } from 'node:stream/consumers'

export interface HttpAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface HttpAsk {
  readonly method?: string
  /** Any header, also those that `fetch` does not let its caller choose, such as Host. */
  readonly headers?: OutgoingHttpHeaders
}

/** Asks for a URL over a connection of its own, and reads the whole answer. */
export async function ask(url: string, { method = 'GET', headers = {} }: HttpAsk = {}): Promise<HttpAnswer> {
  const response = await begin(url, { method, headers })
  return { status: response.statusCode!, headers: response.headers, body: await text(response) }
}

/** The same, without the body: that is for the caller to read. */
export async function begin(url: string, { method = 'GET', headers = {} }: HttpAsk = {}): Promise<IncomingMessage> {
  const asked = request(url, { method, headers, agent: false })
  asked.end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  return response
}
