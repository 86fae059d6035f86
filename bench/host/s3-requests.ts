import { closeSync, existsSync, fstatSync, openSync, readSync, statSync } from 'node:fs'

/** As versitygw names it in the format of S3's server access logs. */
const OPERATION = /\bs3_(\w+)/
const READ = /^(Get|Head)/

/** Requests that an S3 server took, by its name for them. */
export type S3Requests = Readonly<Record<string, number>>

/** Where the log of an S3 server ends now. */
export function logEnd(path: string): number {
  return existsSync(path) ? statSync(path).size : 0
}

/** Counts the requests of a log behind a place. */
export function requestsSince(path: string, from: number): S3Requests {
  if (!existsSync(path)) return {}
  const file = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(Math.max(0, fstatSync(file).size - from))
    readSync(file, bytes, 0, bytes.length, from)
    return requestsOf(bytes.toString('latin1'))
  } finally {
    closeSync(file)
  }
}

/** Counts the requests that lines of a log tell of. */
export function requestsOf(log: string): S3Requests {
  const counts: Record<string, number> = {}
  for (const line of log.split('\n')) {
    const operation = OPERATION.exec(line)?.[1]
    if (operation !== undefined) counts[operation] = (counts[operation] ?? 0) + 1
  }
  return counts
}

/** How many requests only read, and how many do not: they have different prices. */
export function readsAndWrites(requests: S3Requests): { reads: number; writes: number } {
  let [reads, writes] = [0, 0]
  for (const [operation, count] of Object.entries(requests)) {
    if (READ.test(operation)) reads += count
    else writes += count
  }
  return { reads, writes }
}
