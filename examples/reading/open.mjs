// Opens the references on its standard input, one a line, in their order.
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { createReader } from 'sealstream'

const reader = createReader(JSON.parse(await readFile('reader.json', 'utf8')))
const lines = createInterface({ input: process.stdin })
for await (const { topic, partition, offset, value } of reader.openMany(lines)) {
  console.log(`${topic}/${partition} ${offset}: ${Buffer.from(value)}`)
}
await reader.close()
