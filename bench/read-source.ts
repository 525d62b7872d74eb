/**
 * One reading of bench/read.ts by the CSV source, as without --read: rows of text, of which no dtype is inferred. Prints its
 * seconds, its CPU seconds and its peak memory as JSON.
 * node bench/read-source.ts FILE
 */
import { CsvSource } from '../connectors/csv-source.ts'

const source = new CsvSource({ path: process.argv[2]!, readCsv: {}, delimiter: null, indexKind: null })
const before = process.cpuUsage()
const began = performance.now()
let rows = 0
try {
  await source.open()
  for await (const piece of source.rows()) rows += piece.rows.length
} finally {
  await source.close()
}
const { user, system } = process.cpuUsage(before)
const seconds = (performance.now() - began) / 1e3
process.stdout.write(
  JSON.stringify({ rows, seconds, cpu: (user + system) / 1e6, peakMB: process.resourceUsage().maxRSS / 1024 }),
)
