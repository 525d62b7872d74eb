// 4-producer.mts
import { openJob } from 'rowmill'

// What the upstream has to tell, in an order that is the same after a restart: a table by id, an outbox, a log.
const changes = [
  { SKU: 30, TEXT: 'a blue shoe' },
  { SKU: 31, TEXT: 'a scarf' },
]

const job = await openJob({ brokers: ['127.0.0.1:9092'], id: 'stock', columns: ['SKU', 'TEXT'], indexKind: 'integer' })
console.log(`resuming at ${job.seq}`)
await Promise.all(changes.slice(job.seq).map(row => job.send(row))) // each resolves when its row is safe
await job.close()
