import { withoutCredentials } from '../support/credentials.ts'
import { SUBJECTS } from '../wire/confluent.ts'
import { type Check, failure, ok, warning } from './check.ts'

const LIMIT_MS = 12_000
const FORBIDDEN = [401, 403]

const client: Check = {
  name: 'registry-client',
  needs: [],
  limitMs: LIMIT_MS,
  async run({ machine }) {
    await machine.requireRegistryClient()
    return ok('the package of the client is installed')
  },
}

const registry: Check = {
  name: 'registry',
  needs: [],
  limitMs: LIMIT_MS,
  async run({ registry }, signal) {
    const base = withoutCredentials(registry!).replace(/\/+$/, '')
    let answer: Response
    try {
      answer = await askRegistry(registry!, signal)
    } catch (error) {
      const why = ((error as Error).cause as Error | undefined)?.message || (error as Error).message
      return failure(`${base} does not answer: ${why}`, 'start the registry, or correct --schema-registry')
    }
    if (FORBIDDEN.includes(answer.status))
      return failure(
        `${base} refuses the login (${answer.status})`,
        'give USER:PASSWORD in a file: --schema-registry-userinfo-file FILE',
      )
    const subjects: unknown = answer.ok ? await answer.json().catch(() => null) : null
    if (!Array.isArray(subjects))
      return failure(`${base}/subjects answers ${answer.status}, but no list`, 'give the URL below which /subjects is')
    const missing = Object.values(SUBJECTS).filter(subject => !subjects.includes(subject))
    if (missing.length === 0) return ok(`${base} has all ${Object.keys(SUBJECTS).length} subjects of rowmill`)
    return warning(`${base} has no ${missing.join(', ')}`, 'the first command registers them, if its user may')
  },
}

/** The answer with all subjects. `url` may hold user and password, which fetch refuses in a URL. */
async function askRegistry(url: string, signal: AbortSignal): Promise<Response> {
  const { username, password } = new URL(url)
  const login = [username, password].map(decodeURIComponent).join(':')
  const headers = username ? { authorization: `Basic ${Buffer.from(login).toString('base64')}` } : {}
  return fetch(`${withoutCredentials(url).replace(/\/+$/, '')}/subjects`, { headers, signal })
}

/** The clock of the registry, in ms since 1970 and in whole seconds. Null if it does not tell. */
export async function registryClock(url: string, signal: AbortSignal): Promise<number | null> {
  const date = await askRegistry(url, signal).then(
    ({ headers }) => headers.get('date'),
    () => null,
  )
  return date === null ? null : Date.parse(date)
}

export const REGISTRY_CHECKS: readonly Check[] = [client, registry]
