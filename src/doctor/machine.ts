import { tmpdir } from 'node:os'
import { findCacheDirectory } from '../broker/jvm/kafka-jars.ts'
import { checkCompression } from '../kafka/compression.ts'
import { requireRegistryClient } from '../kafka/schema-registry.ts'
import type { Compression } from '../options.ts'
import { freeDiskBytes } from '../support/free-disk.ts'
import { openFilesLimit } from '../support/open-files.ts'

/** What the checks ask of this machine. Tests give another one. */
export interface Machine {
  readonly nodeVersion: string
  readonly env: NodeJS.ProcessEnv
  /** Null: this user has no home folder. */
  readonly cacheFolder: string | null
  readonly temporaryFolder: string
  /** Null if we cannot find out. */
  readonly openFiles: number | null
  /** How many bytes this user may still write to the disk of a folder. */
  freeBytes(folder: string): Promise<number>
  /** Throws if this machine cannot compress and decompress with this codec. */
  checkCodec(codec: Compression): void
  /** Throws if the package is not installed. */
  requireRegistryClient(): Promise<void>
  /** Milliseconds since 1970. */
  wallClock(): number
}

export function thisMachine(): Machine {
  return {
    nodeVersion: process.versions.node,
    env: process.env,
    cacheFolder: findCacheDirectory(),
    temporaryFolder: tmpdir(),
    openFiles: openFilesLimit(),
    freeBytes: freeDiskBytes,
    checkCodec: checkCompression,
    requireRegistryClient,
    wallClock: Date.now,
  }
}
