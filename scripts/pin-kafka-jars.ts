/**
 * Writes src/broker/jvm/kafka-digests.ts: the SHA-256 digests of the jars that src/broker/jvm/broker-files.ts asks Maven for. Run it
 * after a change of a version there. The jars come from the remote repository, not from the cache of Maven.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { copyJarsArguments, POM } from '../src/broker/jvm/broker-files.ts'
import { jarDigests } from '../src/broker/jvm/jar-digests.ts'

const FILE = join(import.meta.dirname, '../src/broker/jvm/kafka-digests.ts')

const folder = mkdtempSync(join(tmpdir(), 'rowmill-pin-'))
try {
  const [pom, jars] = [join(folder, 'pom.xml'), join(folder, 'jars')]
  writeFileSync(pom, POM)
  const args = [...copyJarsArguments(pom, jars), `-Dmaven.repo.local=${join(folder, 'repository')}`]
  execFileSync('mvn', args, { stdio: 'inherit' })
  const digests = Object.entries(await jarDigests(jars)).sort(([a], [b]) => (a < b ? -1 : 1))
  const lines = digests.map(([name, digest]) => `  '${name}': '${digest}',\n`)
  const head =
    '/** Made by scripts/pin-kafka-jars.ts: the jars of the local Kafka and their SHA-256 digests in hex. */\n'
  const type = 'export const KAFKA_DIGESTS: Readonly<Record<string, string>> = {\n'
  writeFileSync(FILE, `${head}${type}${lines.join('')}}\n`)
  process.stdout.write(`${FILE}: ${digests.length} jars\n`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
