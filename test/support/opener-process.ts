import { readFileSync } from 'node:fs'
import { createReader, type ReaderOptions } from '../../src/index.ts'

/** What the process opens. */
export interface OpenerOrder {
  readonly reader: ReaderOptions
  /** One for each of the openers that work at once. */
  readonly references: readonly string[]
}

/** What it took. */
export interface OpenerAnswer {
  readonly opened: number
  readonly bytes: number
  /** What the process grew by at its largest, in bytes of memory that is really there. */
  readonly grownBytes: number
}

const order = JSON.parse(readFileSync(process.argv[2] as string, 'utf8')) as OpenerOrder
const reader = createReader(order.reader)
const [first] = order.references as [string]
// Loads everything that is loaded once.
await reader.openReference(first)
const before = process.memoryUsage.rss()
let most = before
const watch = setInterval(() => {
  most = Math.max(most, process.memoryUsage.rss())
}, 5)
const opened = await Promise.all(
  order.references.map(async (reference) => {
    const { value } = await reader.openReference(reference)
    return value?.length ?? 0
  }),
)
clearInterval(watch)
await reader.close()
const bytes = opened.reduce((sum, length) => sum + length, 0)
const answer: OpenerAnswer = { opened: opened.length, bytes, grownBytes: most - before }
process.stdout.write(JSON.stringify(answer))
