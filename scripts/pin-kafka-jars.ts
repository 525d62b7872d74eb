/**
 * Writes the SHA-256 digests of the jars of each Kafka that Maven fetches for us: of the local Kafka, and of the older one
 * that tests start. Run it after a change of a version. The jars come from the remote repository, not from the cache of
 * Maven.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { copyJarsArguments } from '../src/broker/jvm/broker-files.ts'
import { jarDigests } from '../src/broker/jvm/jar-digests.ts'
import { LOCAL_KAFKA } from '../src/broker/jvm/kafka-release.ts'
import { OLDER_KAFKA } from '../test/helpers/older-kafka.ts'

const PINNED = [
  { release: LOCAL_KAFKA, file: 'src/broker/jvm/kafka-digests.ts', name: 'KAFKA_DIGESTS' },
  { release: OLDER_KAFKA, file: 'test/helpers/older-kafka-digests.ts', name: 'OLDER_KAFKA_DIGESTS' },
]

for (const { release, file, name } of PINNED) {
  const folder = mkdtempSync(join(tmpdir(), 'rowmill-pin-'))
  try {
    const [pom, jars] = [join(folder, 'pom.xml'), join(folder, 'jars')]
    writeFileSync(pom, release.pom)
    const args = [...copyJarsArguments(pom, jars), `-Dmaven.repo.local=${join(folder, 'repository')}`]
    execFileSync('mvn', args, { stdio: 'inherit' })
    const digests = Object.entries(await jarDigests(jars)).sort(([a], [b]) => (a < b ? -1 : 1))
    const lines = digests.map(([jar, digest]) => `  '${jar}': '${digest}',\n`)
    const head = `/** Made by scripts/pin-kafka-jars.ts: the jars of Kafka ${release.version} and their SHA-256 digests in hex. */\n`
    const type = `export const ${name}: Readonly<Record<string, string>> = {\n`
    writeFileSync(join(import.meta.dirname, '..', file), `${head}${type}${lines.join('')}}\n`)
    process.stdout.write(`${file}: ${digests.length} jars\n`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
