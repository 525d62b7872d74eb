import { readFile } from 'node:fs/promises'
import type { ClientConfig } from '../client-config/client-config.ts'
import { RowmillError } from '../errors.ts'
import { OPTIONS, type OptionValues } from '../options.ts'
import { holdsCredentials, withCredentials } from '../support/credentials.ts'

/**
 * The URL of the schema registry, with user and password from the environment, from a file, or from the properties of the
 * client if they are about the same registry. Null if the command uses no registry. Throws USAGE if the file cannot be
 * read or is not USER:PASSWORD, without showing its content.
 */
export async function registryUrl(
  {
    schemaRegistry: url,
    schemaRegistryUserinfoFile: path,
  }: OptionValues<'schemaRegistry' | 'schemaRegistryUserinfoFile'>,
  ofProperties: ClientConfig['registry'] = null,
): Promise<string | null> {
  if (path === null) {
    const login = ofProperties?.userinfo
    const isSame = url !== null && ofProperties !== null && URL.parse(url)?.href === URL.parse(ofProperties.url)?.href
    return login && isSame ? withCredentials(url, login) : url
  }
  const flag = `--${OPTIONS.schemaRegistryUserinfoFile.flag} ${path}`
  const refuse = (why: string, cause?: unknown) => new RowmillError('USAGE', `${flag}: ${why}`, { path }, { cause })
  if (url === null) throw refuse('there is no schema registry to log in to. Give --schema-registry URL too')
  if (holdsCredentials(url)) throw refuse('the URL of the schema registry has a user too. Give only one of the two')
  const text = await readFile(path, 'utf8').catch(cause => {
    throw refuse(`the file cannot be read: ${cause.message}`, cause)
  })
  const userinfo = text.replace(/\r?\n$/, '')
  if (!/^[^:\r\n]+:[^\r\n]*$/.test(userinfo)) throw refuse('the file must hold one line, USER:PASSWORD')
  return withCredentials(url, userinfo)
}
