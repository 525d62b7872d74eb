/** A process with one client: it runs the shapes that its parent sends, and answers what each took. */
import type { Kafka } from '../../src/kafka/index.ts'
import { CLIENTS, type Task } from './clients.ts'
import { runShape } from './shapes.ts'

const [name, broker] = process.argv.slice(2)
const kafka: Kafka = CLIENTS[name as keyof typeof CLIENTS](broker!)

process.on('message', async ({ shape, topic }: Task) => {
  const taken = await runShape(kafka, shape, topic)
  process.send!({ ...taken, peakBytes: process.resourceUsage().maxRSS * 1024 })
})
