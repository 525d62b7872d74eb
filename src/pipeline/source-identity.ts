import { type Job, type JobOption, optionOf, type SourceIdentity } from '../model.ts'

/**
 * The option of a job record with the digest of its source: `sha256:` and 64 hexadecimal digits. If both sides have it,
 * it alone decides whether two sources are the same: name, size and time of two files can agree by chance.
 */
export const SOURCE_DIGEST = 'sourceDigest'

/** What a job record tells about the source of a job. */
export interface KnownSource {
  readonly source: SourceIdentity
  readonly options: readonly JobOption[]
}

/** Why this is another source, in words that complete "job x exists already, ". Null: it is the same. */
export function describeOtherSource(begun: KnownSource, now: KnownSource): string | null {
  const [before, given] = [digestOf(begun.options), digestOf(now.options)]
  const same = before && given ? before === given : sameFile(begun.source, now.source)
  return same ? null : `begun with ${describeFile(begun)}, and this is ${describeFile(now)}`
}

/** The digest in the options, or null if the source has none. */
export function digestOf(options: Job['options']): string | null {
  return optionOf(options, SOURCE_DIGEST) ?? null
}

function sameFile(one: SourceIdentity, other: SourceIdentity): boolean {
  return one.name === other.name && one.size === other.size && one.mtimeMs === other.mtimeMs
}

function describeFile({ source: { name, size, mtimeMs }, options }: KnownSource): string {
  const digest = digestOf(options)
  const bytes = digest === null ? '' : `, ${digest}`
  return `${name} (${size} bytes, changed ${new Date(mtimeMs).toISOString()}${bytes})`
}
