// 5-consumer.mts
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { results } from 'rowmill'

const after = existsSync('checkpoint.json') ? JSON.parse(readFileSync('checkpoint.json', 'utf8')) : null
for await (const batch of results({ brokers: ['127.0.0.1:9092'], job: 'stock', after })) {
  for (const { seq, values, rejected } of batch.rows) console.log(seq, rejected ? rejected.reason : values.join())
  writeFileSync('checkpoint.json', JSON.stringify(batch.checkpoint)) // where the rows go too: in one transaction
}
